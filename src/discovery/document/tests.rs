use super::*;

/// The regions as `name@origin`, and how many entries were refused.
fn read(text: &str) -> (Vec<String>, usize) {
    let document = parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let regions = document.regions.iter();
    let regions = regions.map(|region| format!("{}@{}", region.name(), region.origin()));
    (regions.collect(), document.refused)
}

fn fault(bytes: impl AsRef<[u8]>) -> Fault {
    match parse(bytes.as_ref()) {
        Ok(document) => panic!("{document:?}"),
        Err(InvalidDocument(fault)) => fault,
    }
}

fn list(entries: &str) -> String {
    format!(r#"{{"regions":[{entries}]}}"#)
}

/// That `entry` is refused and its neighbours are not.
fn assert_refused(entry: &str) {
    let text = list(&format!(
        r#"{{"url":"https://a.com"}},{entry},{{"url":"https://b.com"}}"#
    ));
    let (regions, refused) = read(&text);
    assert_eq!((regions.len(), refused), (2, 1), "{entry}");
}

#[test]
fn regions_are_read_in_the_order_sent() {
    let text = list(
        r#"{"region":"us","url":"https://us.example.com","distance":"123"},
           {"region":"eu","url":"https://eu.example.com:8443/","distance":"9"}"#,
    );
    let us = "us@https://us.example.com:443".to_owned();
    let eu = "eu@https://eu.example.com:8443".to_owned();
    assert_eq!(read(&text), (vec![us, eu], 0));
}

#[test]
fn an_empty_list_may_be_written_in_many_ways() {
    for text in [
        "{}",
        r#"{"regions":[]}"#,
        r#"{"regions":null}"#,
        r#"{"other":[1,{"regions":[{"url":"https://a.com"}]}]}"#,
        "\u{feff} \r\n\t{ \"regions\" : [ ] }\n",
    ] {
        assert_eq!(read(text), (vec![], 0), "{text}");
    }
}

#[test]
fn what_is_not_looked_at_can_spoil_nothing() {
    for distance in ["1", "-1.5", "1e999", "null", "{}", "[[]]", r#""\ud800""#] {
        let text = format!(
            r#"{{"x":{distance},"regions":[{{"url":"https://a.com","distance":{distance},"y":{distance}}}]}}"#
        );
        let (regions, refused) = read(&text);
        assert_eq!((regions.len(), refused), (1, 0), "{distance}");
    }
}

#[test]
fn web_socket_schemes_are_those_of_their_handshake() {
    for (url, origin) in [
        ("ws://a.com", "http://a.com:80"),
        ("wss://a.com", "https://a.com:443"),
        ("WSS://A.com:7880/", "https://a.com:7880"),
        ("Ws://a.com", "http://a.com:80"),
    ] {
        let (regions, ..) = read(&list(&format!(r#"{{"region":"a","url":"{url}"}}"#)));
        assert_eq!(regions, [format!("a@{origin}")], "{url}");
    }
}

#[test]
fn a_bad_entry_costs_only_itself() {
    for entry in [
        "null",
        "true",
        "1",
        "1e999",
        r#""https://c.com""#,
        "[]",
        r#"[{"url":"https://c.com"}]"#,
        r#"["c","https://c.com"]"#,
        "{}",
        r#"{"region":"c"}"#,
        r#"{"region":"c","url":null}"#,
        r#"{"region":"c","url":1}"#,
        r#"{"region":"c","url":["https://c.com"]}"#,
        r#"{"region":"c","url":"\ud800"}"#,
        r#"{"URL":"https://c.com"}"#,
    ] {
        assert_refused(entry);
    }
}

#[test]
fn a_url_that_is_no_origin_is_a_bad_entry() {
    let long = format!("https://{}", "c".repeat(MAX_URL));
    for url in [
        "",
        "c.com",
        "//c.com",
        "/",
        "ftp://c.com",
        "wsss://c.com",
        "https://",
        "https://c.com/path",
        "https://c.com/?q",
        "https://c.com#f",
        "https://user@c.com",
        "https://user:secret@c.com",
        "wss://user@c.com",
        "ws://c.com/path",
        "https://c.com:0",
        "https://c.com:99999",
        "https://[::1",
        " https://c.com",
        "https://c.com ",
        "https://c.com\\n",
        "https://c.com\\u0000",
        "https://bücher.com",
        &long,
    ] {
        assert_refused(&format!(r#"{{"region":"c","url":"{url}"}}"#));
    }
}

#[test]
fn an_origin_stands_only_once() {
    assert_refused(r#"{"region":"other name","url":"https://A.com:443/"}"#);
    assert_refused(r#"{"url":"wss://a.com"}"#);
    let text =
        list(r#"{"url":"https://a.com"},{"url":"http://a.com"},{"url":"https://a.com:444"}"#);
    assert_eq!(read(&text).0.len(), 3);
}

#[test]
fn a_url_may_be_as_long_as_the_bound() {
    for (url, count) in [
        (format!("https://{}", "c".repeat(MAX_URL - 8)), 1),
        (format!("https://{}", "c".repeat(MAX_URL - 7)), 0),
        // What counts is the length it comes to.
        (format!("wss://{}", "c".repeat(MAX_URL - 8)), 1),
        (format!("wss://{}", "c".repeat(MAX_URL - 7)), 0),
    ] {
        let (regions, ..) = read(&list(&format!(r#"{{"url":"{url}"}}"#)));
        assert_eq!(regions.len(), count, "{}", url.len());
    }
}

#[test]
fn a_bad_name_does_not_cost_the_region() {
    let long = format!(r#""{}""#, "n".repeat(MAX_NAME + 1));
    for name in [
        "null",
        "1",
        "{}",
        r#""""#,
        r#""a\nb""#,
        r#""a\u0000b""#,
        r#""\u007f""#,
        r#""\u009b""#,
        r#""\ud800""#,
        &long,
    ] {
        let text = list(&format!(r#"{{"region":{name},"url":"https://a.com"}}"#));
        let unnamed = "https://a.com:443@https://a.com:443".to_owned();
        assert_eq!(read(&text), (vec![unnamed], 0), "{name}");
    }
}

#[test]
fn a_good_name_is_kept_as_it_is() {
    let long = "n".repeat(MAX_NAME);
    for name in ["eu", "eu-west_1.a (b), c/d", "Sao Paulo", &long] {
        let text = list(&format!(r#"{{"region":"{name}","url":"https://a.com"}}"#));
        assert_eq!(read(&text).0, [format!("{name}@https://a.com:443")]);
    }
}

#[test]
fn of_a_field_that_stands_twice_the_last_holds() {
    let text =
        r#"{"regions":1,"regions":[{"url":1,"url":"https://a.com","region":"a","region":"b"}]}"#;
    assert_eq!(read(text).0, ["b@https://a.com:443"]);
    let text = r#"{"regions":[{"url":"https://a.com"}],"regions":[]}"#;
    assert_eq!(read(text).0, [""; 0]);
}

#[test]
fn what_is_no_object_is_no_document() {
    for text in ["null", "true", "12", r#""{}""#, "[]", r#"[{"regions":[]}]"#] {
        assert_eq!(fault(text), Fault::NoObject, "{text}");
    }
}

#[test]
fn regions_of_another_type_are_no_list() {
    for regions in ["{}", "1", "false", r#""""#, r#"{"url":"https://a.com"}"#] {
        let text = format!(r#"{{"regions":{regions}}}"#);
        assert_eq!(fault(&text), Fault::Regions, "{text}");
    }
}

#[test]
fn what_is_no_json_is_no_document() {
    for text in [
        "<html>",
        "regions",
        "{}{}",
        "{} x",
        "{'regions':[]}",
        "{\"regions\":[],}",
        "{\"regions\":[NaN]}",
        "{\"x\":\"\n\"}",
        "\u{feff}\u{feff}{}",
    ] {
        assert!(matches!(fault(text), Fault::Syntax { .. }), "{text}");
    }
    for text in ["", " ", "\u{feff}", "{", r#"{"regions":[{"#, r#"{"x":""#] {
        assert_eq!(fault(text), Fault::Cut, "{text}");
    }
    for bytes in [&b"\xff"[..], b"{\"regions\":[{\"region\":\"\xff\"}]}"] {
        assert!(parse(bytes).is_err());
    }
    // In UTF-16.
    assert!(matches!(fault(b"\xff\xfe{\0}\0"), Fault::Syntax { .. }));
}

#[test]
fn a_document_may_be_as_long_as_the_bound() {
    let padded = |length| format!("{{}}{}", " ".repeat(length - 2));
    assert!(parse(padded(MAX_BYTES).as_bytes()).is_ok());
    assert_eq!(fault(padded(MAX_BYTES + 1)), Fault::Size);
}

#[test]
fn deep_nesting_is_passed_over_without_recursion() {
    let deep = "[".repeat(MAX_BYTES / 3) + &"]".repeat(MAX_BYTES / 3);
    assert_eq!(read(&format!(r#"{{"x":{deep}}}"#)), (vec![], 0));
    assert_refused(&deep);
    assert_refused(&format!(r#"{{"url":{deep}}}"#));
    assert_eq!(fault("[".repeat(MAX_BYTES)), Fault::NoObject);
    assert_eq!(fault(r#"{"regions":"#.repeat(500)), Fault::Cut);
}

#[test]
fn the_error_shows_nothing_of_the_document() {
    for text in [
        "secret",
        r#""secret""#,
        r#"{"secret" "secret"}"#,
        r#"{"regions":"secret"}"#,
        r#"{"regions":{"secret":1}}"#,
        r#"{"regions":["secret"#,
    ] {
        let error = parse(text.as_bytes()).expect_err(text);
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
    let error = parse(b"{\n  secret}").expect_err("no JSON");
    assert_eq!(error.to_string(), "no JSON from line 2, column 3");
}

#[test]
fn a_region_from_elsewhere_keeps_to_the_same_bounds() {
    let named = |name, url| region(name, url).map(|region| region.name().to_owned());
    assert_eq!(named(Some("a"), "wss://a.com"), Some("a".to_owned()));
    let unnamed = Some("https://a.com:443".to_owned());
    assert_eq!(named(Some("\n"), "https://a.com"), unnamed);
    assert_eq!(named(None, "https://a.com:443"), unnamed);
    assert_eq!(named(Some("a"), "https://a.com/path"), None);
}

/// Distance and weight of a region with these fields besides its `url`.
fn measures(fields: &str) -> (Option<u64>, Option<u32>) {
    let document = parse(list(&format!(r#"{{"url":"https://a.com"{fields}}}"#)).as_bytes());
    let document = document.unwrap_or_else(|error| panic!("{fields}: {error}"));
    assert_eq!((document.regions.len(), document.refused), (1, 0));
    let region = &document.regions[0];
    (region.get_distance(), region.get_weight())
}

#[test]
fn distance_and_weight_are_numbers_or_text() {
    for (fields, expected) in [
        ("", (None, None)),
        (r#","distance":12"#, (Some(12), None)),
        (r#","weight":3"#, (None, Some(3))),
        (r#","distance":"12","weight":"3""#, (Some(12), Some(3))),
        (r#", "distance" : 0 , "weight" : 0 "#, (Some(0), Some(0))),
        (r#","distance":"0","weight":"0""#, (Some(0), Some(0))),
        (r#","distance":"\u0031\u0032""#, (Some(12), None)),
        (r#","distance":1,"distance":2"#, (Some(2), None)),
        (
            r#","distance":"9223372036854775807","weight":4294967295"#,
            (Some(i64::MAX as u64), Some(u32::MAX)),
        ),
        (
            r#","distance":18446744073709551615"#,
            (Some(u64::MAX), None),
        ),
    ] {
        assert_eq!(measures(fields), expected, "{fields}");
    }
}

#[test]
fn what_is_no_whole_number_is_as_if_left_out_and_costs_nothing_else() {
    let digits = "9".repeat(1000);
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    for value in [
        "null",
        "true",
        "-1",
        "-0.5",
        "1.5",
        "1e3",
        "1e999",
        "-1e999",
        "18446744073709551616",
        &digits,
        "{}",
        r#"{"value":1}"#,
        "[1]",
        &deep,
        r#""""#,
        r#"" 1""#,
        r#""1 ""#,
        r#""-1""#,
        r#""1.5""#,
        r#""0x10""#,
        r#""near""#,
        r#""18446744073709551616""#,
        r#""\ud800""#,
    ] {
        let fields = format!(r#","distance":{value},"weight":3"#);
        assert_eq!(measures(&fields), (None, Some(3)), "{value}");
        let fields = format!(r#","distance":12,"weight":{value}"#);
        assert_eq!(measures(&fields), (Some(12), None), "{value}");
    }
    assert_eq!(measures(r#","weight":4294967296"#), (None, None));
}

#[test]
fn of_an_origin_that_stands_twice_the_first_distance_counts() {
    let text = list(
        r#"{"url":"https://a.com","distance":1,"weight":2},{"url":"https://a.com","distance":3,"weight":4}"#,
    );
    let document = parse(text.as_bytes()).expect("a document");
    let region = &document.regions[0];
    assert_eq!(
        (region.get_distance(), region.get_weight()),
        (Some(1), Some(2))
    );
}
