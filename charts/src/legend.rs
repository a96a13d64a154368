use crate::canvas::{Canvas, Font, INK};
use crate::colour::Colour;
use crate::panel::{Line, Panel};

const NAME: Font = Font::new(12.5, INK);
const SWATCH: f64 = 22.0;
const SPACE: f64 = 6.0;
const BETWEEN: f64 = 20.0;

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    colour: Colour,
    is_area: bool,
    is_faint: bool,
}

impl Entry {
    fn width(&self) -> f64 {
        SWATCH + SPACE + NAME.width(&self.name)
    }
}

/// Names and their colours, in a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Legend(Vec<Entry>);

impl Legend {
    /// The names that more than one panel has.
    pub(crate) fn shared(panels: &[Panel]) -> Self {
        let mut legend = Legend::default();
        for (n, panel) in panels.iter().enumerate() {
            let others = || panels.iter().enumerate().filter(|(other, _)| *other != n);
            for (series, is_area) in series(panel) {
                if others().any(|(_, other)| has(other, &series.name)) {
                    legend.add(series, is_area);
                }
            }
        }
        legend
    }

    /// The panel's names for which `is_shared` does not hold.
    pub(crate) fn own(panel: &Panel, is_shared: impl Fn(&str) -> bool) -> Self {
        let mut legend = Legend::default();
        for (series, is_area) in series(panel) {
            if !is_shared(&series.name) {
                legend.add(series, is_area);
            }
        }
        legend
    }

    fn add(&mut self, series: &Line, is_area: bool) {
        if !self.holds(&series.name) {
            self.0.push(Entry {
                name: series.name.clone(),
                colour: series.colour,
                is_area,
                is_faint: series.is_faint,
            });
        }
    }

    pub(crate) fn holds(&self, name: &str) -> bool {
        self.0.iter().any(|entry| entry.name == name)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn width(&self) -> f64 {
        let names: f64 = self.0.iter().map(Entry::width).sum();
        names + BETWEEN * self.0.len().saturating_sub(1) as f64
    }

    pub(crate) fn draw(&self, canvas: &Canvas<'_>, mut x: f64, y: f64) {
        for entry in &self.0 {
            let (colour, end) = (entry.colour.rgb(), x + SWATCH);
            if entry.is_area {
                canvas.rectangle((x + 8.0, y - 6.0), (end, y + 6.0), colour, AREA_OPACITY);
            } else {
                let (opacity, width) = stroke(entry.is_faint);
                canvas.polyline(&[(x, y), (end, y)], colour, opacity, width + 0.6);
            }
            canvas.text(&entry.name, (end + SPACE, y), NAME);
            x += entry.width() + BETWEEN;
        }
    }
}

pub(crate) const AREA_OPACITY: f64 = 0.8;

/// Opacity and width of a line.
pub(crate) fn stroke(is_faint: bool) -> (f64, f64) {
    if is_faint { (0.5, 1.0) } else { (1.0, 2.0) }
}

fn series(panel: &Panel) -> impl Iterator<Item = (&Line, bool)> {
    let areas = panel.areas.iter().map(|area| (area, true));
    panel.lines.iter().map(|line| (line, false)).chain(areas)
}

fn has(panel: &Panel, name: &str) -> bool {
    series(panel).any(|(series, _)| series.name == name)
}
