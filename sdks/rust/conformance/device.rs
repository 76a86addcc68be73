//! L1: the device, its contacts, and what is sent to them.

use std::time::Duration;

use p4_client::{Client, Contact, InviteKind, Options, Receipt, SendOptions, Value};
use serde_json::{Value as Json, json};

use crate::protocol::{Answer, Arguments, Handles, Problem, contact_entry, members, value_of, within};

/// So long requests wait for a daemon that was killed.
const RESTART_PATIENCE: Duration = Duration::from_secs(60);
const INVITE_LIFETIME: Duration = Duration::from_secs(600);

pub(crate) struct Device {
    pub(crate) clients: Handles<Client>,
    receipts: Handles<Receipt>,
}

impl Device {
    pub(crate) fn new() -> Self {
        Self { clients: Handles::new("client"), receipts: Handles::new("receipt") }
    }

    fn contact(&mut self, given: &Arguments) -> Result<Contact, Problem> {
        Ok(self.clients.get(given)?.contact(given.text("contact")?)?)
    }

    pub(crate) async fn answer(&mut self, operation: &str, given: &Arguments) -> Answer {
        match operation {
            "connect" => {
                let options = Options::default().restart_patience(RESTART_PATIENCE);
                let options = if given.has("url") {
                    options.address(given.text("url")?, given.text("token")?)
                } else {
                    options.state_dir(given.text("state_dir")?)
                };
                self.clients.insert(given, options.connect().await?)?;
                Ok(json!({}))
            }
            "disconnect" => self.clients.take(given).map(|_| json!({})),
            "identity" => {
                let identity = self.clients.get(given)?.identity().await?;
                Ok(json!({"id": identity.id, "name": identity.name, "public_key": identity.public_key}))
            }
            "status" => {
                let status = self.clients.get(given)?.status().await?;
                let names: Vec<_> = status.contacts.iter().map(|contact| &contact.name).collect();
                Ok(json!({"id": status.id, "contacts": names}))
            }
            "services" => {
                let services = self.clients.get(given)?.services().await?;
                let entry = |one: p4_client::Service| json!({"service": one.service, "serves_calls": one.serves_calls});
                Ok(json!({"services": services.into_iter().map(entry).collect::<Vec<_>>()}))
            }
            "request" => {
                let (method, path) = (given.text("method")?, given.text("path")?);
                let body = given.0.get("body").cloned();
                Ok(json!({"body": self.clients.get(given)?.request(method, path, body).await?}))
            }
            "token.new" => {
                let (services, contacts) = (given.texts("services")?, given.texts("contacts")?);
                let lifetime = match given.json("expires_in_seconds")? {
                    Json::Null => None,
                    _ => Some(given.seconds("expires_in_seconds")?),
                };
                let (client, app) = (self.clients.get(given)?, given.text("app")?);
                let made = client.new_token(app, services.as_deref(), contacts.as_deref(), lifetime).await?;
                Ok(json!({"id": made.id, "token": made.token}))
            }
            "token.list" => {
                let tokens = self.clients.get(given)?.tokens().await?;
                Ok(json!({"ids": tokens.iter().map(|token| &token.id).collect::<Vec<_>>()}))
            }
            "token.revoke" => {
                self.clients.get(given)?.revoke_token(given.text("token_id")?).await?;
                Ok(json!({}))
            }
            _ if operation.starts_with("pairing.") => self.pairing(operation, given).await,
            _ if operation.starts_with("contact.") => self.contacts(operation, given).await,
            _ => self.sending(operation, given).await,
        }
    }

    async fn pairing(&mut self, operation: &str, given: &Arguments) -> Answer {
        let pairing = self.clients.get(given)?.pairing();
        match operation {
            "pairing.create" => {
                let invite =
                    pairing.invite_with(InviteKind::Link, INVITE_LIFETIME, given.text("name")?).await?;
                pairing.findable(&invite.id).await?;
                Ok(json!({"invite": invite.id, "text": invite.text}))
            }
            "pairing.add" => {
                let patience = given.seconds("patience_seconds")?;
                let added = pairing.add_within(given.text("text")?, given.text("name")?, patience).await?;
                Ok(json!({"contact": {"id": added.id, "name": added.name}}))
            }
            "pairing.wait" => {
                let contact = pairing.paired(given.text("invite")?).await?;
                Ok(json!({"contact": contact_entry(&contact)}))
            }
            "pairing.cancel" => {
                pairing.cancel(given.text("invite")?).await?;
                Ok(json!({}))
            }
            _ => Err(Problem::Unknown),
        }
    }

    async fn contacts(&mut self, operation: &str, given: &Arguments) -> Answer {
        if operation == "contact.list" {
            let contacts = self.clients.get(given)?.contacts().await?;
            let entry = |one: p4_client::ContactStatus| json!({"id": one.id, "name": one.name});
            return Ok(json!({"contacts": contacts.into_iter().map(entry).collect::<Vec<_>>()}));
        }
        let contact = self.contact(given)?;
        match operation {
            "contact.status" => {
                let status = contact.status().await?;
                Ok(json!({
                    "id": status.id,
                    "name": status.name,
                    "connected": status.connected,
                    "queued_messages": status.queued_messages,
                }))
            }
            "contact.ping" => Ok(json!({"round_trip_seconds": contact.ping().await?.as_secs_f64()})),
            "contact.rename" => Ok(json!({"name": contact.rename(given.text("name")?).await?.name})),
            "contact.remove" => {
                contact.remove().await?;
                Ok(json!({}))
            }
            "contact.grant" => {
                let services = given.texts("services")?.unwrap_or_default();
                Ok(json!({"grants": contact.grant(&services).await?}))
            }
            "contact.revoke" => {
                contact.revoke(given.text("service")?).await?;
                Ok(json!({}))
            }
            "contact.grants" => Ok(json!({"grants": contact.grants().await?})),
            "contact.set_policy" => {
                contact.set_policy(given.text("policy")?).await?;
                Ok(json!({}))
            }
            "contact.verification" => Ok(json!({"words": contact.verification().await?.words})),
            "contact.call" => {
                let (service, argument) = (given.text("service")?, given.value()?);
                let deadline = given.seconds("deadline_seconds")?;
                Ok(members(&contact.call_within(service, argument, deadline).await?))
            }
            _ => Err(Problem::Unknown),
        }
    }

    async fn sending(&mut self, operation: &str, given: &Arguments) -> Answer {
        match operation {
            "message.send" => {
                let mut options = SendOptions::default().latest(given.text_or_empty("latest"));
                if given.has("ttl_seconds") {
                    options = options.ttl(given.seconds("ttl_seconds")?);
                }
                let contact = self.contact(given)?;
                let receipt = contact.send_with(given.text("service")?, given.value()?, options).await?;
                let id = receipt.id().to_owned();
                self.receipts.insert(given, receipt)?;
                Ok(json!({"id": id}))
            }
            "message.send_many" => {
                let contact = self.contact(given)?;
                let entries = given.json("values")?.as_array().into_iter().flatten();
                let values: Vec<Value> =
                    entries.filter_map(Json::as_object).map(value_of).collect::<Result<_, _>>()?;
                let receipts = contact.send_many(given.text("service")?, values).await?;
                Ok(json!({"ids": receipts.iter().map(Receipt::id).collect::<Vec<_>>()}))
            }
            "receipt.delivered" => {
                let patience = given.seconds("timeout_seconds")?;
                within(patience, self.receipts.get(given)?.delivered()).await??;
                Ok(json!({}))
            }
            "receipt.consumed" => {
                let patience = given.seconds("timeout_seconds")?;
                within(patience, self.receipts.get(given)?.consumed()).await??;
                Ok(json!({}))
            }
            "chat.say" => {
                let said = self.contact(given)?.say(given.text("text")?).await?;
                Ok(json!({"message_id": said.message_id}))
            }
            "chat.history" => {
                let limit = u16::try_from(given.number("limit")?).map_err(Problem::failed)?;
                let chat = self.clients.get(given)?.chat();
                let page = chat.page(given.text("contact")?, None, limit).await?;
                let entry = |line: p4_client::ChatEntry| json!({"message_id": line.message_id, "mine": line.mine, "text": line.text});
                Ok(json!({"entries": page.entries.into_iter().map(entry).collect::<Vec<_>>()}))
            }
            _ => Err(Problem::Unknown),
        }
    }
}
