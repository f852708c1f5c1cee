//! A client of the telemetry backends: through Grafana's data source proxy, or directly.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::grafana::data_source::{DataSource, Uids};

/// The timeout of one request.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The addresses of the telemetry backends.
#[derive(Clone, Debug)]
pub struct Backends {
    grafana: Url,
    uids: Uids,
    direct: Vec<(DataSource, Url)>,
    http: reqwest::Client,
}

impl Backends {
    /// Sends requests through the data sources of this Grafana, except to the backends in `direct`.
    ///
    /// # Errors
    /// The HTTP client cannot be created.
    pub fn new(grafana: Url, uids: Uids, direct: Vec<(DataSource, Url)>) -> Result<Self> {
        Ok(Self { grafana, uids, direct, http: reqwest::Client::builder().timeout(TIMEOUT).build()? })
    }

    /// Sends a GET request. Returns `None` for 404.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        source: DataSource,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Option<T>> {
        let mut url = self.url(source, path)?;
        url.query_pairs_mut().extend_pairs(parameters);
        self.send(url.clone(), self.http.get(url)).await
    }

    /// Sends a POST request with a JSON body. Returns `None` for 404.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        source: DataSource,
        path: &str,
        body: &Value,
    ) -> Result<Option<T>> {
        let url = self.url(source, path)?;
        self.send(url.clone(), self.http.post(url).json(body)).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        url: Url,
        request: reqwest::RequestBuilder,
    ) -> Result<Option<T>> {
        let response = request
            .header("Accept", "application/json")
            .send()
            .await
            .with_context(|| format!("no response from {url}"))?;
        let status = response.status();
        let text = response.text().await.with_context(|| url.to_string())?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            bail!("{status} from {url}: {}", text.trim());
        }
        serde_json::from_str(&text)
            .map(Some)
            .with_context(|| format!("unexpected response from {url}: {text}"))
    }

    fn url(&self, source: DataSource, path: &str) -> Result<Url> {
        let direct = self.direct.iter().find(|(direct, _)| *direct == source);
        let base = match direct {
            Some((_, base)) => base.as_str().trim_end_matches('/').to_owned(),
            None => format!("{}api/datasources/proxy/uid/{}", self.grafana, self.uids.get(source)?),
        };
        Ok(Url::parse(&format!("{base}/{path}"))?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_go_through_grafana_unless_a_direct_address_is_given() {
        let url = |text: &str| Url::parse(text).unwrap();
        let direct = vec![(DataSource::Loki, url("http://127.0.0.1:3100"))];
        let uids = Uids::of(&[json!({ "type": "tempo", "uid": "traces" })]);
        let backends = Backends::new(url("http://127.0.0.1:3000"), uids, direct).unwrap();
        let url = |source| backends.url(source, "ready").map(String::from);
        let traces = "http://127.0.0.1:3000/api/datasources/proxy/uid/traces/ready";
        assert_eq!(url(DataSource::Tempo).unwrap(), traces);
        assert_eq!(url(DataSource::Loki).unwrap(), "http://127.0.0.1:3100/ready");
        let error = url(DataSource::Pyroscope).unwrap_err().to_string();
        assert!(error.contains("none of type grafana-pyroscope-datasource"), "{error}");
    }
}
