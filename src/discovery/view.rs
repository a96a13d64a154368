use std::sync::Arc;

use tokio::time::Instant;

use crate::region::Board;

/// The regions of a home as they were known at one time.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) board: Board,
    /// The place of home itself.
    pub(crate) home: usize,
    /// When the list is too old for any use.
    forgotten_at: Option<Instant>,
}

impl View {
    pub(super) fn new(board: Board, home: usize, forgotten_at: Option<Instant>) -> Self {
        Self {
            board,
            home,
            forgotten_at,
        }
    }

    /// This view, in which a call can also refer to its `own` places in another one.
    pub(crate) fn including(view: Arc<Self>, other: &Self, own: &[usize]) -> Arc<Self> {
        let is_there = |&place: &usize| {
            let origin = other.board.region(place).origin();
            view.board.place_of(origin).is_some()
        };
        if own.iter().all(is_there) {
            return view;
        }
        let board = view.board.clone();
        Arc::new(Self {
            board: board.including(&other.board, own.iter().copied()),
            ..*view
        })
    }

    /// This view, which remembers how all places of another one are.
    pub(super) fn with_health_of(self, other: &Self) -> Self {
        let all = 0..other.board.len();
        Self {
            board: self.board.including(&other.board, all),
            ..self
        }
    }

    pub(crate) fn is_forgotten(&self, now: Instant) -> bool {
        self.forgotten_at.is_some_and(|at| now >= at)
    }
}
