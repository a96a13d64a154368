use crate::Server;

/// Several HTTP/1.1 regions started together, for examples.
#[derive(Debug)]
pub struct Cluster {
    regions: Vec<Server>,
}

impl Cluster {
    /// Starts one region per name, in that order.
    pub async fn start(names: &[&str]) -> Cluster {
        let mut regions = Vec::with_capacity(names.len());
        for name in names {
            regions.push(Server::http1(name).await);
        }
        Cluster { regions }
    }

    /// The origins, in the order of the names given to [`Cluster::start`].
    pub fn origins(&self) -> Vec<String> {
        self.regions.iter().map(Server::origin).collect()
    }

    /// The region of that name.
    ///
    /// # Panics
    /// When no region has the name.
    #[track_caller]
    pub fn region(&self, name: &str) -> &Server {
        match self.regions.iter().find(|region| region.name() == name) {
            Some(region) => region,
            None => panic!("no region is named {name:?}"),
        }
    }
}
