//! The page's browser: Chromium by WebDriver, Firefox by Marionette.

use anyhow::Result;
use serde_json::Value;

use crate::browser::{Driver, Firefox};

/// One browser with one page; it ends with the value.
pub enum Tab {
    Chromium(Driver),
    Firefox(Firefox),
}

impl Tab {
    pub async fn chromium(flags: &[String]) -> Result<Self> {
        Ok(Self::Chromium(Driver::chromium(flags).await?))
    }

    pub async fn firefox() -> Result<Self> {
        Ok(Self::Firefox(Firefox::start().await?))
    }

    pub async fn goto(&self, url: &str) -> Result<()> {
        match self {
            Self::Chromium(driver) => Ok(driver.client().goto(url).await?),
            Self::Firefox(firefox) => firefox.goto(url).await,
        }
    }

    /// What a script returns, or, `asynchronous`, what it calls its last argument with.
    pub async fn execute(&self, script: &str, args: Vec<Value>, asynchronous: bool) -> Result<Value> {
        match self {
            Self::Chromium(driver) if asynchronous => Ok(driver.client().execute_async(script, args).await?),
            Self::Chromium(driver) => Ok(driver.client().execute(script, args).await?),
            Self::Firefox(firefox) => firefox.execute(script, &args, asynchronous).await,
        }
    }
}
