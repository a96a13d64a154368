//! The source chain of an error, by the types that a classifier can know.

use std::{error::Error, io, iter};

/// The error and all below it.
pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>() {
            // The `source()` of an io::Error skips the error that it wraps.
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// Such as `hyper_util (connect) > io (ConnectionRefused)`. Links of private types are left out.
pub(crate) fn describe(error: &(dyn Error + 'static)) -> String {
    let known: Vec<_> = chain(error).filter_map(link).collect();
    match known.is_empty() {
        true => error.to_string(),
        false => known.join(" > "),
    }
}

fn link(error: &(dyn Error + 'static)) -> Option<String> {
    http_client(error)
        .or_else(|| reqwest(error))
        .or_else(|| tonic(error))
}

fn http_client(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
        let flags = [
            (error.is_connect(), "connect"),
            (error.connect_info().is_some(), "connected"),
        ];
        Some(named("hyper_util", &flags))
    } else if let Some(error) = error.downcast_ref::<hyper::Error>() {
        let flags = [
            (error.is_canceled(), "canceled"),
            (error.is_incomplete_message(), "incomplete message"),
            (error.is_closed(), "closed"),
            (error.is_parse(), "parse"),
            (error.is_timeout(), "timeout"),
            (error.is_user(), "user"),
        ];
        Some(named("hyper", &flags))
    } else if let Some(error) = error.downcast_ref::<h2::Error>() {
        let reason = error.reason().map(|reason| format!("{reason:?}"));
        let flags = [
            (error.is_go_away(), "go away"),
            (error.is_reset(), "reset"),
            (error.is_remote(), "remote"),
            (error.is_library(), "library"),
            (reason.is_some(), reason.as_deref().unwrap_or_default()),
        ];
        Some(named("h2", &flags))
    } else if let Some(error) = error.downcast_ref::<rustls::Error>() {
        let text = format!("{error:?}");
        let name = text.split(['(', ' ']).next().unwrap_or_default().to_owned();
        Some(named("rustls", &[(true, &name)]))
    } else {
        let error = error.downcast_ref::<io::Error>()?;
        Some(named("io", &[(true, &format!("{:?}", error.kind()))]))
    }
}

fn reqwest(error: &(dyn Error + 'static)) -> Option<String> {
    let error = error.downcast_ref::<reqwest::Error>()?;
    let flags = [
        (error.is_builder(), "builder"),
        (error.is_connect(), "connect"),
        (error.is_dns(), "dns"),
        (error.is_timeout(), "timeout"),
        (error.is_request(), "request"),
        (error.is_redirect(), "redirect"),
        (error.is_body(), "body"),
        (error.is_decode(), "decode"),
    ];
    Some(named("reqwest", &flags))
}

fn tonic(error: &(dyn Error + 'static)) -> Option<String> {
    if error.is::<tonic::transport::Error>() {
        Some("tonic::transport".to_owned())
    } else if error.is::<tonic::ConnectError>() {
        Some("tonic::ConnectError".to_owned())
    } else if error.is::<tonic::TimeoutExpired>() {
        Some("tonic::TimeoutExpired".to_owned())
    } else {
        let status = error.downcast_ref::<tonic::Status>()?;
        Some(format!("tonic::Status ({:?})", status.code()))
    }
}

fn named(name: &str, flags: &[(bool, &str)]) -> String {
    let flags: Vec<_> = flags
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, flag)| *flag)
        .collect();
    match flags.is_empty() {
        true => name.to_owned(),
        false => format!("{name} ({})", flags.join(", ")),
    }
}
