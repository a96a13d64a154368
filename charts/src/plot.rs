use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use crate::axis::{Axis, label};
use crate::canvas::{Canvas, Font, INK, PALE_INK, Point};
use crate::layout::{LEFT, RIGHT};
use crate::legend::{AREA_OPACITY, Legend, stroke};
use crate::panel::{Line, Panel};

pub(crate) const GRID: RGBColor = RGBColor(0xd8, 0xd8, 0xd8);
const TITLE: Font = Font::new(13.0, INK).bold();
const MARK: Font = Font::new(11.5, PALE_INK).at(HPos::Right);

/// The least height between two marks.
const ROW: u32 = 28;

/// The place of a panel and its axis.
#[derive(Debug)]
pub(crate) struct Plot {
    pub(crate) top: f64,
    pub(crate) bottom: f64,
    axis: Axis,
}

impl Plot {
    pub(crate) fn new(panel: &Panel, top: f64, bottom: f64) -> Self {
        let lines = panel.lines.iter().flat_map(|line| &line.points);
        let edges = panel.stack().into_iter().flatten().map(|edge| edge.2);
        let values = lines.map(|point| point.1).chain(edges);
        let axis = match &panel.range {
            Some(range) => Axis::exactly(range.clone(), panel.is_log),
            None => Axis::around(values, panel.is_log),
        };
        Plot { top, bottom, axis }
    }

    pub(crate) fn draw(
        &self,
        panel: &Panel,
        canvas: &Canvas<'_>,
        x: impl Fn(f64) -> f64,
        is_shared: impl Fn(&str) -> bool,
    ) {
        let y = |value: f64| self.bottom - self.axis.share(value) * (self.bottom - self.top);
        let title_y = self.top - 12.0;
        canvas.text(&panel.title, (LEFT, title_y), TITLE);
        let legend = Legend::own(panel, is_shared);
        legend.draw(canvas, RIGHT - legend.width(), title_y);

        let rows = (panel.height / ROW).max(2);
        for mark in self.axis.marks(rows as usize) {
            canvas.polyline(&[(LEFT, y(mark)), (RIGHT, y(mark))], GRID, 1.0, 0.6);
            let text = format!("{} {}", label(mark), panel.unit);
            canvas.text(text.trim_end(), (LEFT - 8.0, y(mark)), MARK);
        }
        for (area, edges) in panel.areas.iter().zip(panel.stack()) {
            let is_gap = |edge: &(f64, f64, f64)| !(edge.0.is_finite() && edge.2.is_finite());
            for run in edges.split(is_gap).filter(|run| !run.is_empty()) {
                let upper = run.iter().map(|edge| (x(edge.0), y(edge.2)));
                let lower = run.iter().rev().map(|edge| (x(edge.0), y(edge.1)));
                let outline: Vec<Point> = upper.chain(lower).collect();
                canvas.polygon(&outline, area.colour.rgb(), AREA_OPACITY);
            }
        }
        let (faint, strong): (Vec<_>, Vec<_>) = panel.lines.iter().partition(|line| line.is_faint);
        for lines in [faint, strong] {
            for (above, line) in (0..lines.len()).rev().zip(lines) {
                draw_line(line, above, canvas, &x, y);
            }
        }
    }
}

/// Draws a line that so many others will be drawn over. It is wider than they, so that where they coincide it is seen.
fn draw_line(
    line: &Line,
    above: usize,
    canvas: &Canvas<'_>,
    x: impl Fn(f64) -> f64,
    y: impl Fn(f64) -> f64,
) {
    let (opacity, width) = stroke(line.is_faint);
    let width = width * (1.0 + 0.35 * above.min(4) as f64);
    let is_gap = |point: &Point| !(point.0.is_finite() && point.1.is_finite());
    for run in line.points.split(is_gap) {
        let run: Vec<Point> = run.iter().map(|point| (x(point.0), y(point.1))).collect();
        match run[..] {
            [] => {}
            [alone] => canvas.dot(alone, width, line.colour.rgb(), opacity),
            _ => canvas.polyline(&run, line.colour.rgb(), opacity, width),
        }
    }
}
