use std::{
    fmt::Debug,
    sync::{Arc, LazyLock, Mutex},
};

use tracing::{
    Dispatch, Event, Level,
    dispatcher::DefaultGuard,
    field::{Field, Visit},
    subscriber::NoSubscriber,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry,
};

/// The layer's events on this thread, from now until it is dropped.
pub(crate) struct Events {
    lines: Arc<Mutex<Vec<Line>>>,
    _guard: DefaultGuard,
}

/// One event: level, message and fields.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) message: String,
    pub(crate) fields: Vec<(&'static str, String)>,
}

impl Line {
    pub(crate) fn field(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|(field, _)| *field == name);
        field.map_or("", |(_, value)| value)
    }
}

impl Events {
    pub(crate) fn capture() -> Self {
        Self::capture_and(|| ())
    }

    /// Does this at each event too.
    pub(crate) fn capture_and(act: impl Fn() + Send + Sync + 'static) -> Self {
        // While there is but one dispatcher, tracing lets the thread that first meets an event
        // decide for all whether it matters, and other tests have no subscriber. So there are two.
        static SECOND: LazyLock<Dispatch> =
            LazyLock::new(|| Dispatch::new(NoSubscriber::default()));
        LazyLock::force(&SECOND);
        let lines = Arc::<Mutex<Vec<Line>>>::default();
        let capture = Capture {
            lines: lines.clone(),
            act,
        };
        let dispatch = Dispatch::new(registry().with(capture));
        Self {
            lines,
            _guard: tracing::dispatcher::set_default(&dispatch),
        }
    }

    /// What there was since the last call of this.
    pub(crate) fn take(&self) -> Vec<Line> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}

struct Capture<F> {
    lines: Arc<Mutex<Vec<Line>>>,
    act: F,
}

impl<S: tracing::Subscriber, F: Fn() + 'static> Layer<S> for Capture<F> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != "tower_failover" {
            return;
        }
        let mut line = Line {
            level: *event.metadata().level(),
            message: String::new(),
            fields: Vec::new(),
        };
        event.record(&mut line);
        self.lines.lock().unwrap().push(line);
        (self.act)();
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            name => self.fields.push((name, text)),
        }
    }
}
