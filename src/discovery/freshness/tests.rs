use http::HeaderValue;

use super::*;

fn of(cache_control: &[&str], age: &[&str]) -> Option<Freshness> {
    let mut headers = HeaderMap::new();
    for line in cache_control {
        headers.append(CACHE_CONTROL, HeaderValue::from_str(line).expect(line));
    }
    for line in age {
        headers.append(AGE, HeaderValue::from_str(line).expect(line));
    }
    freshness(&headers)
}

fn seconds(seconds: u32) -> Option<Freshness> {
    Some(Freshness::For(Duration::from_secs(seconds.into())))
}

const NO_STORE: Option<Freshness> = Some(Freshness::NoStore);

#[test]
fn the_usual_lines_are_understood() {
    for (line, expected) in [
        ("max-age=60", seconds(60)),
        ("public, max-age=30", seconds(30)),
        ("Max-Age=60", seconds(60)),
        ("MAX-AGE=90", seconds(90)),
        ("private, max-age=600, must-revalidate", seconds(600)),
        ("s-maxage=3600, max-age=120", seconds(120)),
        ("max-age=120,s-maxage=3600", seconds(120)),
        ("max-age=0", seconds(0)),
        ("max-age = 60", seconds(60)),
        (" , ,max-age\t=\t60 ,, public", seconds(60)),
        ("max-age=\"60\"", seconds(60)),
        ("max-age=060", seconds(60)),
        ("no-cache, max-age=30", NO_STORE),
        ("max-age=30, no-cache", NO_STORE),
        ("no-cache", NO_STORE),
        ("no-cache=\"set-cookie, x\", max-age=30", NO_STORE),
        ("No-Store", NO_STORE),
        ("max-age=30,no-store,public", NO_STORE),
        ("no-store=1", NO_STORE),
        ("", None),
        (",", None),
        ("public", None),
        ("s-maxage=60", None),
        ("private, must-revalidate, stale-if-error=60", None),
        ("x-max-age=60", None),
        ("max-ages=60", None),
        ("no-stores, xno-store", None),
    ] {
        assert_eq!(of(&[line], &[]), expected, "{line}");
    }
    assert_eq!(of(&[], &[]), None);
    assert_eq!(of(&[], &["5"]), None);
}

#[test]
fn a_time_that_cannot_be_read_is_over() {
    for value in [
        "", " ", "abc", "-5", "+5", "1.5", "1e3", "0x10", "60s", "6 0", "\"60", "'60'", "\"\"",
    ] {
        let line = format!("max-age={value}");
        assert_eq!(of(&[&line], &[]), seconds(0), "{line}");
    }
    assert_eq!(of(&["max-age"], &[]), seconds(0));
}

#[test]
fn a_time_too_long_to_count_is_the_longest() {
    assert_eq!(of(&["max-age=2147483648"], &[]), seconds(1 << 31));
    assert_eq!(of(&["max-age=4294967295"], &[]), seconds(u32::MAX));
    assert_eq!(of(&["max-age=4294967296"], &[]), seconds(u32::MAX));
    let digits = format!("max-age={}", "9".repeat(400));
    assert_eq!(of(&[&digits], &[]), seconds(u32::MAX));
    assert_eq!(of(&["max-age=60"], &[&"9".repeat(400)]), seconds(0));
}

#[test]
fn of_two_times_the_shorter_holds() {
    assert_eq!(of(&["max-age=60, max-age=30"], &[]), seconds(30));
    assert_eq!(of(&["max-age=30", "max-age=60"], &[]), seconds(30));
    assert_eq!(of(&["max-age=30, max-age=soon"], &[]), seconds(0));
}

#[test]
fn what_is_quoted_is_no_directive() {
    for line in [
        "max-age=60, x=\"no-store\"",
        "max-age=60, x=\"a, no-store, b\"",
        "x=\"a\\\", no-store, \\\\\", max-age=60",
        "x = \"max-age=5, no-cache\" , max-age=60",
        "\"a, no-store, b\", max-age=60",
    ] {
        assert_eq!(of(&[line], &[]), seconds(60), "{line}");
    }
    assert_eq!(of(&["x=\"\\\\\", no-store, y=\"\""], &[]), NO_STORE);
}

#[test]
fn a_quote_that_is_not_closed_hides_nothing() {
    for line in [
        "x=\"a, no-store",
        "x=\"a\\\", no-store",
        "\", no-store",
        "x=\"a\" \", no-store",
    ] {
        assert_eq!(of(&[line], &[]), NO_STORE, "{line}");
    }
    assert_eq!(of(&["x=\"a, max-age=60"], &[]), seconds(60));
    assert_eq!(of(&["x=\"", "y=\", max-age=60"], &[]), seconds(60));
}

#[test]
fn age_is_taken_off() {
    assert_eq!(of(&["max-age=60"], &["20"]), seconds(40));
    assert_eq!(of(&["max-age=60"], &["60"]), seconds(0));
    assert_eq!(of(&["max-age=60"], &["61"]), seconds(0));
    assert_eq!(of(&["max-age=60"], &[" 7 , 20"]), seconds(53));
    assert_eq!(of(&["max-age=60"], &["old", "20", "30"]), seconds(40));
}

#[test]
fn an_age_that_cannot_be_read_is_none() {
    for age in ["", "-20", "+20", "20.5", "\"20\"", "old"] {
        assert_eq!(of(&["max-age=60"], &[age]), seconds(60), "{age}");
    }
}

#[test]
fn every_line_counts_and_too_many_forbid_the_keeping() {
    let mut lines = vec!["public"; MAX_LINES - 1];
    lines.push("max-age=60");
    assert_eq!(of(&lines, &[]), seconds(60));
    lines.push("public");
    assert_eq!(of(&lines, &[]), NO_STORE);
    assert_eq!(of(&["max-age=60", "no-store"], &[]), NO_STORE);
}

#[test]
fn bytes_that_are_no_text_are_passed_over() {
    let mut headers = HeaderMap::new();
    for (name, line) in [
        (
            CACHE_CONTROL,
            &b"\xff\xfe=\"\xff, no-store\", max-age=60"[..],
        ),
        (AGE, &b"\xff"[..]),
        (AGE, &b"10"[..]),
    ] {
        headers.append(name, HeaderValue::from_bytes(line).expect("a header value"));
    }
    assert_eq!(freshness(&headers), seconds(50));
    let line = HeaderValue::from_bytes(b"max-age=6\xff").expect("a header value");
    headers.insert(CACHE_CONTROL, line);
    assert_eq!(freshness(&headers), seconds(0));
}
