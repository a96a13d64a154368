use std::ops::Range;

use crate::colour::Colour;

/// A named series of points: seconds on the time axis, and a value in the panel's unit.
///
/// Lines of the same name should have the same colour in every panel: the legend shows the name once.
#[derive(Clone, Debug)]
pub struct Line {
    pub(crate) name: String,
    pub(crate) colour: Colour,
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) is_faint: bool,
}

impl Line {
    /// A series in order of time. A value that is not finite is a gap.
    pub fn new(name: impl Into<String>, colour: Colour, points: Vec<(f64, f64)>) -> Self {
        Line {
            name: name.into(),
            colour,
            points,
            is_faint: false,
        }
    }

    /// Draws the line thin and pale, behind the others.
    #[must_use]
    pub fn faint(mut self) -> Self {
        self.is_faint = true;
        self
    }
}

/// One chart of a [`Figure`](crate::Figure): lines, stacked areas, or both.
#[derive(Clone, Debug)]
pub struct Panel {
    pub(crate) title: String,
    pub(crate) unit: String,
    pub(crate) range: Option<Range<f64>>,
    pub(crate) is_log: bool,
    pub(crate) height: u32,
    pub(crate) lines: Vec<Line>,
    pub(crate) areas: Vec<Line>,
}

impl Panel {
    /// A panel without lines.
    ///
    /// # Defaults
    /// No unit, a linear axis from zero to just above the largest value, 110 pixels high.
    pub fn new(title: impl Into<String>) -> Self {
        Panel {
            title: title.into(),
            unit: String::new(),
            range: None,
            is_log: false,
            height: 110,
            lines: Vec::new(),
            areas: Vec::new(),
        }
    }

    /// Sets what follows the numbers on the axis, such as `%` or `ms`.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// Sets both ends of the axis. A value beyond them is drawn at the edge.
    #[must_use]
    pub fn range(mut self, range: Range<f64>) -> Self {
        self.range = Some(range);
        self
    }

    /// Makes the axis logarithmic, by default over whole decades. A value of zero or below is drawn at the lower edge.
    #[must_use]
    pub fn log(mut self) -> Self {
        self.is_log = true;
        self
    }

    /// Sets the height of the plot in pixels.
    #[must_use]
    pub fn height(mut self, pixels: u32) -> Self {
        self.height = pixels;
        self
    }

    /// Adds a line, in front of those added before. They are drawn a little wider, so that one shows under another.
    #[must_use]
    pub fn line(mut self, line: Line) -> Self {
        self.lines.push(line);
        self
    }

    /// Adds an area, stacked on those added before.
    ///
    /// The areas of a panel have their points at the same times. A value that is not finite is a gap in its area and lifts
    /// nothing above it.
    #[must_use]
    pub fn area(mut self, area: Line) -> Self {
        self.areas.push(area);
        self
    }

    /// Per area the points of its lower and upper edge, `(time, from, to)`.
    pub(crate) fn stack(&self) -> Vec<Vec<(f64, f64, f64)>> {
        let mut floor: Vec<f64> = Vec::new();
        let mut stack = Vec::with_capacity(self.areas.len());
        for area in &self.areas {
            floor.resize(floor.len().max(area.points.len()), 0.0);
            let edges = area.points.iter().zip(&mut floor).map(|(&(x, y), floor)| {
                let from = *floor;
                if y.is_finite() {
                    *floor += y;
                }
                (x, from, from + y)
            });
            stack.push(edges.collect());
        }
        stack
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_stands_on_those_before_it_and_a_gap_lifts_nothing() {
        let area = |values: [f64; 2]| {
            let points = vec![(0.0, values[0]), (1.0, values[1])];
            Line::new("", Colour::Blue, points)
        };
        let panel = Panel::new("")
            .area(area([10.0, 20.0]))
            .area(area([f64::NAN, 30.0]))
            .area(area([90.0, 50.0]));
        let stack = panel.stack();
        assert_eq!(stack[0], [(0.0, 0.0, 10.0), (1.0, 0.0, 20.0)]);
        assert!(stack[1][0].2.is_nan());
        assert_eq!(stack[1][1], (1.0, 20.0, 50.0));
        assert_eq!(stack[2], [(0.0, 10.0, 100.0), (1.0, 50.0, 100.0)]);
    }
}
