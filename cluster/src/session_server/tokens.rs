use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// The tokens that a session can be resumed with, shared by the servers that know them.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    issued: usize,
    /// How many live sessions each has: two while a session moves.
    known: BTreeMap<String, usize>,
}

impl Tokens {
    /// The token of a session that asks for that one, and whether it is that one.
    pub(super) fn begin(&self, asked: Option<&str>, region: &str) -> (String, bool) {
        let mut state = self.state();
        if let Some((token, live)) = asked.and_then(|asked| state.known.get_key_value(asked)) {
            let (token, live) = (token.clone(), live + 1);
            state.known.insert(token.clone(), live);
            return (token, true);
        }
        state.issued += 1;
        let token = format!("{region}-{}", state.issued);
        state.known.insert(token.clone(), 1);
        (token, false)
    }

    /// A session with that token ended. One that is over is not resumed, unless it goes on elsewhere.
    pub(super) fn end(&self, token: &str, is_over: bool) {
        let mut state = self.state();
        let Some(live) = state.known.get_mut(token) else {
            // Forgotten meanwhile.
            return;
        };
        *live = live.saturating_sub(1);
        if is_over && *live == 0 {
            state.known.remove(token);
        }
    }

    pub(super) fn forget(&self) {
        self.state().known.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder of the tokens panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_moved_can_be_resumed_after_its_old_half_left() {
        let tokens = Tokens::default();
        let (token, resumed) = tokens.begin(None, "eu");
        assert_eq!((&*token, resumed), ("eu-1", false));
        assert_eq!(tokens.begin(Some("eu-1"), "us"), (token, true));
        tokens.end("eu-1", true);
        tokens.end("eu-1", false);
        assert_eq!(tokens.begin(Some("eu-1"), "us").0, "eu-1");
        tokens.end("eu-1", true);
        assert_eq!(tokens.begin(Some("eu-1"), "us"), ("us-2".to_owned(), false));
    }

    #[test]
    fn a_forgotten_token_begins_a_new_session() {
        let tokens = Tokens::default();
        tokens.begin(None, "eu");
        tokens.forget();
        tokens.end("eu-1", true);
        assert_eq!(tokens.begin(Some("eu-1"), "eu"), ("eu-2".to_owned(), false));
    }
}
