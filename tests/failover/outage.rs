//! Regions that fail for a while, over real sockets: what it costs callers to find that out, how
//! traffic comes home, and what a region that is out is asked meanwhile.

mod detection;
mod everywhere;
mod flapping;
mod probes;
mod ramp;
mod recovery;
mod scene;
