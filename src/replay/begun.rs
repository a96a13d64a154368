use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Whether the body of the current attempt was polled, for a body that is not shared otherwise and a
/// call to which that matters.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    marks: Option<Arc<Marks>>,
    /// The attempt whose body this belongs to; the first is 1.
    attempt: u32,
}

#[derive(Debug)]
struct Marks {
    /// The current attempt.
    current: AtomicU32,
    /// The last attempt whose body was polled.
    polled: AtomicU32,
}

impl Begun {
    /// It does not matter, or cannot be known.
    pub(super) fn unknown() -> Self {
        Self {
            marks: None,
            attempt: 1,
        }
    }

    pub(super) fn not_yet() -> Self {
        let marks = Marks {
            current: AtomicU32::new(1),
            polled: AtomicU32::new(0),
        };
        Self {
            marks: Some(Arc::new(marks)),
            attempt: 1,
        }
    }

    /// The same for the body of another attempt, which is the current one from now on.
    pub(super) fn another(&self) -> Self {
        let mut another = self.clone();
        if let Some(marks) = &self.marks {
            another.attempt = marks.current.fetch_add(1, Ordering::AcqRel) + 1;
        }
        another
    }

    /// The body was polled.
    pub(super) fn set(&self) {
        if let Some(marks) = &self.marks {
            // An old body that is polled late may take the mark of a newer one, but never gives one.
            marks.polled.store(self.attempt, Ordering::Release);
        }
    }

    /// Whether the body of the current attempt was polled.
    pub(super) fn get(&self) -> bool {
        self.marks.as_ref().is_some_and(|marks| {
            marks.polled.load(Ordering::Acquire) == marks.current.load(Ordering::Acquire)
        })
    }
}
