use std::ops::Range;
use std::path::Path;
use std::{fs, io};

use crate::canvas::Canvas;
use crate::layout::{self, Layout};
use crate::panel::Panel;

/// A picture: a title, panels stacked over one time axis, and named spans of time behind them all.
///
/// It is 960 pixels wide. The legend on top holds the names that several panels share; a name of one panel alone stands
/// beside that panel's title.
#[derive(Clone, Debug)]
pub struct Figure {
    pub(crate) title: String,
    pub(crate) subtitle: Option<String>,
    pub(crate) panels: Vec<Panel>,
    pub(crate) bands: Vec<Band>,
    pub(crate) time: Option<Range<f64>>,
}

/// A named span of time, in seconds.
#[derive(Clone, Debug)]
pub(crate) struct Band {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) label: String,
}

impl Figure {
    /// A figure without panels.
    pub fn new(title: impl Into<String>) -> Self {
        Figure {
            title: title.into(),
            subtitle: None,
            panels: Vec::new(),
            bands: Vec::new(),
            time: None,
        }
    }

    /// Sets the line under the title.
    #[must_use]
    pub fn subtitle(mut self, subtitle: impl Into<String>) -> Self {
        self.subtitle = Some(subtitle.into());
        self
    }

    /// Adds a panel below those added before.
    #[must_use]
    pub fn panel(mut self, panel: Panel) -> Self {
        self.panels.push(panel);
        self
    }

    /// Shades the time from `from` to `to`, in seconds, in all panels, and writes the label above.
    ///
    /// A span whose ends are not finite is left out.
    #[must_use]
    pub fn band(mut self, from: f64, to: f64, label: impl Into<String>) -> Self {
        if from.is_finite() && to.is_finite() {
            let label = label.into();
            self.bands.push(Band { from, to, label });
        }
        self
    }

    /// Sets both ends of the time axis, in seconds.
    ///
    /// # Defaults
    /// The first and the last point or end of a band.
    #[must_use]
    pub fn time(mut self, seconds: Range<f64>) -> Self {
        self.time = Some(seconds);
        self
    }

    /// The picture as a document.
    pub fn to_svg(&self) -> String {
        let layout = Layout::new(self);
        Canvas::svg(layout::WIDTH, layout.height, |canvas| {
            layout.draw(self, canvas);
        })
    }

    /// Writes the picture to a file, in place of one that is there. Missing folders are made.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, self.to_svg())
    }
}
