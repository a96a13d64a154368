use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

/// A frame that can be handed out again.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Data(Bytes),
    /// Boxed, for they are rare and three times as large.
    Trailers(Box<HeaderMap>),
}

impl Kept {
    /// A copy of the frame, or `None` for a kind of frame that is not known and so cannot be copied.
    pub(super) fn new(frame: &Frame<Bytes>) -> Option<Self> {
        match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) => Some(Self::Data(data.clone())),
            (_, Some(trailers)) => Some(Self::Trailers(Box::new(trailers.clone()))),
            _ => None,
        }
    }

    /// The bytes that keeping the frame costs.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Data(data) => data.len(),
            Self::Trailers(trailers) => trailers
                .iter()
                .map(|(name, value)| name.as_str().len() + value.len())
                .sum(),
        }
    }

    /// The bytes of data, as `content-length` counts them.
    pub(super) fn data_len(&self) -> u64 {
        match self {
            Self::Data(data) => data.len() as u64,
            Self::Trailers(_) => 0,
        }
    }
}

impl From<Kept> for Frame<Bytes> {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Data(data) => Frame::data(data),
            Kept::Trailers(trailers) => Frame::trailers(*trailers),
        }
    }
}
