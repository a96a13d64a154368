use plotters::style::RGBColor;

/// Colours that the colour-blind tell apart too: the palette of Okabe and Ito, and a grey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// #0072B2
    Blue,
    /// #E69F00
    Orange,
    /// #009E73
    Green,
    /// #D55E00
    Vermillion,
    /// #56B4E9
    Sky,
    /// #CC79A7
    Purple,
    /// #F0E442; too light for a line, good for an area
    Yellow,
    /// #000000
    Black,
    /// #888888, for what is there only to compare with
    Grey,
}

impl Colour {
    pub(crate) const fn rgb(self) -> RGBColor {
        match self {
            Colour::Blue => RGBColor(0x00, 0x72, 0xb2),
            Colour::Orange => RGBColor(0xe6, 0x9f, 0x00),
            Colour::Green => RGBColor(0x00, 0x9e, 0x73),
            Colour::Vermillion => RGBColor(0xd5, 0x5e, 0x00),
            Colour::Sky => RGBColor(0x56, 0xb4, 0xe9),
            Colour::Purple => RGBColor(0xcc, 0x79, 0xa7),
            Colour::Yellow => RGBColor(0xf0, 0xe4, 0x42),
            Colour::Black => RGBColor(0, 0, 0),
            Colour::Grey => RGBColor(0x88, 0x88, 0x88),
        }
    }
}
