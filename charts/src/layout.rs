use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use crate::axis::{Axis, label};
use crate::canvas::{Canvas, Font, INK, PALE_INK};
use crate::figure::Figure;
use crate::legend::Legend;
use crate::plot::{GRID, Plot};

pub(crate) const WIDTH: f64 = 960.0;
pub(crate) const LEFT: f64 = 74.0;
pub(crate) const RIGHT: f64 = WIDTH - 28.0;

/// The row of a panel's title.
const TITLE_ROW: f64 = 28.0;
const GAP: f64 = 10.0;
const TIME_ROW: f64 = 30.0;

const SHADE: RGBColor = RGBColor(0xf1, 0xee, 0xe6);
const TITLE: Font = Font::new(19.0, INK).bold();
const SUBTITLE: Font = Font::new(13.0, PALE_INK);
const BAND: Font = Font::new(12.0, INK).bold().at(HPos::Center);
const TIME: Font = Font::new(11.5, PALE_INK).at(HPos::Center);

/// Where things are, from top to bottom.
#[derive(Debug)]
pub(crate) struct Layout {
    time: Axis,
    legend: Legend,
    subtitle_y: f64,
    legend_y: f64,
    bands_y: f64,
    plots: Vec<Plot>,
    bottom: f64,
    pub(crate) height: f64,
}

impl Layout {
    pub(crate) fn new(figure: &Figure) -> Self {
        let legend = Legend::shared(&figure.panels);
        let subtitle_y = 50.0;
        let legend_y = subtitle_y + if figure.subtitle.is_some() { 26.0 } else { 4.0 };
        let bands_y = legend_y + if legend.is_empty() { -4.0 } else { 22.0 };
        let mut y = bands_y + if figure.bands.is_empty() { 0.0 } else { 20.0 };
        let mut plots = Vec::with_capacity(figure.panels.len());
        for panel in &figure.panels {
            let top = y + TITLE_ROW;
            let bottom = top + f64::from(panel.height);
            plots.push(Plot::new(panel, top, bottom));
            y = bottom + GAP;
        }
        let bottom = y - GAP;
        Layout {
            time: time(figure),
            legend,
            subtitle_y,
            legend_y,
            bands_y,
            plots,
            bottom,
            height: bottom + TIME_ROW,
        }
    }

    pub(crate) fn draw(&self, figure: &Figure, canvas: &Canvas<'_>) {
        canvas.text(&figure.title, (LEFT, 26.0), TITLE);
        if let Some(subtitle) = &figure.subtitle {
            canvas.text(subtitle, (LEFT, self.subtitle_y), SUBTITLE);
        }
        self.legend.draw(canvas, LEFT, self.legend_y);
        let x = |seconds: f64| LEFT + self.time.share(seconds) * (RIGHT - LEFT);

        for band in &figure.bands {
            let (from, to) = (x(band.from), x(band.to));
            canvas.rectangle(
                (from + 0.5, self.bands_y),
                (to - 0.5, self.bottom),
                SHADE,
                1.0,
            );
            canvas.text(&band.label, ((from + to) / 2.0, self.bands_y + 12.0), BAND);
        }
        for seconds in self.time.marks(12) {
            for plot in &self.plots {
                let ends = [(x(seconds), plot.top), (x(seconds), plot.bottom)];
                canvas.polyline(&ends, GRID, 1.0, 0.6);
            }
            let text = format!("{} s", label(seconds));
            canvas.text(&text, (x(seconds), self.bottom + 14.0), TIME);
        }
        let is_shared = |name: &str| self.legend.holds(name);
        for (plot, panel) in self.plots.iter().zip(&figure.panels) {
            plot.draw(panel, canvas, x, is_shared);
        }
    }
}

/// From the first point or band to the last, unless the figure says otherwise.
fn time(figure: &Figure) -> Axis {
    if let Some(seconds) = &figure.time {
        return Axis::exactly(seconds.clone(), false);
    }
    let series = figure
        .panels
        .iter()
        .flat_map(|p| p.lines.iter().chain(&p.areas));
    let points = series.flat_map(|series| series.points.iter().map(|point| point.0));
    let bands = figure.bands.iter().flat_map(|band| [band.from, band.to]);
    let (first, last) = points
        .chain(bands)
        .filter(|seconds| seconds.is_finite())
        .fold(
            (f64::INFINITY, f64::NEG_INFINITY),
            |(first, last), seconds| (first.min(seconds), last.max(seconds)),
        );
    Axis::exactly(first..last, false)
}
