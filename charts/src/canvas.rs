use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle};

/// A point in pixels from the upper left corner.
pub(crate) type Point = (f64, f64);

pub(crate) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(crate) const PALE_INK: RGBColor = RGBColor(0x66, 0x66, 0x66);

/// How a text looks and where its point is: left of it, in its middle, or right of it.
#[derive(Clone, Copy)]
pub(crate) struct Font {
    size: f64,
    is_bold: bool,
    colour: RGBColor,
    at: HPos,
}

impl Font {
    pub(crate) const fn new(size: f64, colour: RGBColor) -> Self {
        Font {
            size,
            is_bold: false,
            colour,
            at: HPos::Left,
        }
    }

    pub(crate) const fn bold(mut self) -> Self {
        self.is_bold = true;
        self
    }

    pub(crate) const fn at(mut self, at: HPos) -> Self {
        self.at = at;
        self
    }

    /// About how wide a text is. Nobody knows before the reader's own font is at hand.
    pub(crate) fn width(self, text: &str) -> f64 {
        text.chars().count() as f64 * self.size * 0.54
    }
}

/// Draws in tenths of a pixel: the backend knows whole numbers only, and a curve of whole pixels has steps.
pub(crate) struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

const SCALE: f64 = 10.0;
const INFALLIBLE: &str = "drawing into a string does not fail";

impl Canvas<'_> {
    /// The SVG of that size which `draw` makes, on a white ground so that it can be read on a dark page too.
    pub(crate) fn svg(width: f64, height: f64, draw: impl FnOnce(&Canvas<'_>)) -> String {
        let mut svg = String::new();
        let size = (tenths(width) as u32, tenths(height) as u32);
        let canvas = Canvas(SVGBackend::with_string(&mut svg, size).into_drawing_area());
        canvas.rectangle((0.0, 0.0), (width, height), RGBColor(255, 255, 255), 1.0);
        draw(&canvas);
        canvas.0.present().expect(INFALLIBLE);
        drop(canvas);
        // The backend's own head tells the size in tenths of a pixel.
        let (_, drawing) = svg.split_once(">\n").expect("an SVG begins with its head");
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {} {}\" stroke-linejoin=\"round\" stroke-linecap=\"round\">\n{drawing}",
            size.0, size.1
        )
    }

    pub(crate) fn text(&self, text: &str, at: Point, font: Font) {
        // The backend divides the size by 1.24.
        let style = TextStyle::from((FontFamily::SansSerif, font.size * SCALE * 1.24))
            .pos(Pos::new(font.at, VPos::Center))
            .color(&font.colour);
        let style = TextStyle {
            font: style.font.style(if font.is_bold {
                FontStyle::Bold
            } else {
                FontStyle::Normal
            }),
            ..style
        };
        let text = Text::new(text.to_owned(), scaled(at), style);
        self.0.draw(&text).expect(INFALLIBLE);
    }

    pub(crate) fn rectangle(&self, from: Point, to: Point, colour: RGBColor, opacity: f64) {
        let style = colour.mix(opacity).filled();
        let corners = [scaled(from), scaled(to)];
        self.0
            .draw(&Rectangle::new(corners, style))
            .expect(INFALLIBLE);
    }

    pub(crate) fn polyline(&self, points: &[Point], colour: RGBColor, opacity: f64, width: f64) {
        let style = ShapeStyle::from(colour.mix(opacity)).stroke_width(tenths(width) as u32);
        let points: Vec<_> = points.iter().copied().map(scaled).collect();
        self.0
            .draw(&PathElement::new(points, style))
            .expect(INFALLIBLE);
    }

    pub(crate) fn polygon(&self, points: &[Point], colour: RGBColor, opacity: f64) {
        let points: Vec<_> = points.iter().copied().map(scaled).collect();
        self.0
            .draw(&Polygon::new(points, colour.mix(opacity).filled()))
            .expect(INFALLIBLE);
    }

    pub(crate) fn dot(&self, at: Point, radius: f64, colour: RGBColor, opacity: f64) {
        let style = colour.mix(opacity).filled();
        self.0
            .draw(&Circle::new(scaled(at), tenths(radius), style))
            .expect(INFALLIBLE);
    }
}

fn tenths(pixels: f64) -> i32 {
    (pixels * SCALE).round() as i32
}

fn scaled((x, y): Point) -> (i32, i32) {
    (tenths(x), tenths(y))
}
