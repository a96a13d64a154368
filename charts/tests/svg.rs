//! What the document holds: marks that can be seen are looked at in the picture itself.

use failover_charts::{Colour, Figure, Line, Panel};

fn line(name: &str, points: Vec<(f64, f64)>) -> Line {
    Line::new(name, Colour::Blue, points)
}

fn figure(line: Line) -> Figure {
    Figure::new("title").panel(Panel::new("panel").line(line))
}

/// How many curves a line of these points is drawn as; the grid and the legend are the same in every figure.
fn curves(values: &[f64]) -> usize {
    let points = |values: &[f64]| (0..).map(f64::from).zip(values.iter().copied()).collect();
    let count = |svg: String| svg.matches("stroke=\"#0072B2\"").count();
    let legend = count(figure(line("a", vec![(0.0, f64::NAN)])).to_svg());
    count(figure(line("a", points(values))).to_svg()) - legend
}

/// Checks that every tag that opens also closes, in order, with all attributes quoted; true for this simple a document
/// means well-formed.
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    for piece in svg.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "{text:?} is not escaped");
        for entity in text.split('&').skip(1).chain(tag.split('&').skip(1)) {
            assert!(entity.contains(';'), "{entity:?} is not escaped");
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} stay open");
}

#[test]
fn every_name_is_in_a_well_formed_document() {
    let svg = Figure::new("a < b & \"c\"")
        .subtitle("a subtitle")
        .panel(
            Panel::new("first panel")
                .unit("ms")
                .log()
                .line(line("everywhere", vec![(0.0, 3.0), (9.0, 4000.0)]))
                .line(line("a faint one", vec![(0.0, 7.0), (9.0, 9.0)]).faint()),
        )
        .panel(
            Panel::new("second panel")
                .range(0.0..100.0)
                .line(line("everywhere", vec![(0.0, 30.0), (9.0, 1e9)]))
                .area(line("an area", vec![(0.0, 30.0), (9.0, 40.0)])),
        )
        .band(2.0, 4.0, "a band")
        .to_svg();
    assert_well_formed(&svg);
    for text in [
        "a &lt; b &amp; &quot;c&quot;",
        "a subtitle",
        "first panel",
        "second panel",
        "everywhere",
        "a faint one",
        "an area",
        "a band",
        "100 ms",
        "2 s",
    ] {
        let times = svg.lines().filter(|line| *line == text).count();
        assert_eq!(times, 1, "{text:?}");
    }
}

#[test]
fn a_value_that_is_not_finite_is_a_gap() {
    assert_eq!(curves(&[1.0, 2.0, 3.0, 4.0]), 1);
    assert_eq!(curves(&[1.0, 2.0, f64::NAN, 3.0, 4.0]), 2);
    assert_eq!(curves(&[1.0, 2.0, f64::INFINITY, f64::NAN, 3.0, 4.0]), 2);
    assert_eq!(curves(&[f64::NAN, f64::NAN]), 0);
}

#[test]
fn a_point_between_gaps_is_a_dot() {
    let points = vec![(0.0, f64::NAN), (1.0, 2.0), (2.0, f64::NAN)];
    assert!(figure(line("a", points)).to_svg().contains("<circle"));
    let points = vec![(0.0, 1.0), (1.0, 2.0)];
    assert!(!figure(line("a", points)).to_svg().contains("<circle"));
}

#[test]
fn figures_without_points_are_drawn_too() {
    for figure in [
        Figure::new(""),
        Figure::new("").panel(Panel::new("")),
        Figure::new("").panel(Panel::new("").height(0)),
        figure(line("", Vec::new())),
        figure(line("", vec![(f64::NAN, f64::NAN)])),
        figure(line("", vec![(3.0, 3.0)])),
        Figure::new("").panel(Panel::new("").log().area(line("", vec![(0.0, f64::NAN)]))),
        Figure::new("").panel(Panel::new("").log().range(-1.0..-2.0)),
        Figure::new("")
            .band(f64::NAN, 1.0, "never")
            .band(2.0, 1.0, "backwards"),
    ] {
        assert_well_formed(&figure.to_svg());
    }
}

#[test]
fn the_time_axis_is_that_of_the_points_unless_set() {
    let figure = figure(line("a", vec![(10.0, 1.0), (20.0, 2.0)]));
    let has = |svg: &str, text: &str| svg.lines().any(|line| line == text);
    let svg = figure.to_svg();
    assert!(has(&svg, "10 s") && has(&svg, "20 s") && !has(&svg, "0 s"));
    let svg = figure.time(0.0..60.0).to_svg();
    assert!(has(&svg, "0 s") && has(&svg, "60 s"));
}

#[test]
fn a_minute_of_points_stays_small() {
    let points = |n: u32| (0..600).map(move |i| (f64::from(i) / 10.0, f64::from(i * n % 97) / 7.0));
    let panel = move |n: u32| {
        let lines = (1..=6).map(|k| line(&format!("line {k}"), points(n * k + 1).collect()));
        lines.fold(Panel::new(""), Panel::line)
    };
    let svg = (1..=3)
        .map(panel)
        .fold(Figure::new(""), Figure::panel)
        .to_svg();
    assert!(svg.len() < 150_000, "{} bytes", svg.len());
}

#[test]
fn a_written_file_is_the_document() -> std::io::Result<()> {
    let folder = std::env::temp_dir().join(format!("failover-charts-{}", std::process::id()));
    let path = folder.join("deep/figure.svg");
    let figure = figure(line("a", vec![(0.0, 1.0), (1.0, 2.0)]));
    figure.write(&path)?;
    assert_eq!(std::fs::read_to_string(&path)?, figure.to_svg());
    std::fs::remove_dir_all(folder)
}
