//! Line charts in panels stacked over one time axis, written as a small SVG.
//!
//! ```
//! use failover_charts::{Colour, Figure, Line, Panel};
//!
//! let figure = Figure::new("A bad minute")
//!     .subtitle("50 calls a second")
//!     .panel(
//!         Panel::new("success rate")
//!             .unit("%")
//!             .range(0.0..100.0)
//!             .line(Line::new("ours", Colour::Blue, vec![(0.0, 100.0), (1.0, 99.5)])),
//!     )
//!     .band(0.2, 0.6, "refuse");
//! assert!(figure.to_svg().starts_with("<svg"));
//! ```

mod figure;

mod colour;
mod panel;

mod layout;
mod legend;
mod plot;

mod axis;
mod canvas;

pub use colour::Colour;
pub use figure::Figure;
pub use panel::{Line, Panel};
