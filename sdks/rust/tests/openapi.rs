//! The records are those of the daemon's openapi.json.

mod common;

use std::collections::BTreeSet;

use p4_client as p4;
use serde::Serialize;
use serde_json::Value as Json;

fn document() -> Json {
    let path = common::root().join("../../spec/daemon-api/openapi.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn names(object: &Json) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

fn compare<T: Default + Serialize>(document: &Json, schema: &str) {
    let wanted = names(&document["components"]["schemas"][schema]["properties"]);
    let mut ours = names(&serde_json::to_value(T::default()).unwrap());
    if schema == "TokenModel" {
        ours.remove("token"); // told when it is made only
    }
    assert_eq!(ours, wanted, "{schema}");
}

#[test]
fn the_records_have_the_members_of_the_document() {
    let document = document();
    compare::<p4::ContactName>(&document, "ContactName");
    compare::<p4::ContactStatus>(&document, "ContactModel");
    compare::<p4::Path>(&document, "PathModel");
    compare::<p4::DeviceIdentity>(&document, "IdentityModel");
    compare::<p4::DeviceStatus>(&document, "StatusModel");
    compare::<p4::Service>(&document, "ServiceModel");
    compare::<p4::Verification>(&document, "VerificationModel");
    compare::<p4::ChatPage>(&document, "PageModel");
    compare::<p4::Conversation>(&document, "ConversationModel");
    compare::<p4::ChatEntry>(&document, "EntryModel");
    compare::<p4::Token>(&document, "TokenModel");
    compare::<p4::Token>(&document, "MadeTokenModel");
    compare::<p4::Invite>(&document, "InviteModel");
}

#[test]
fn the_core_is_there_for_programs_without_a_daemon() {
    let identity = p4::core::Identity::generate().unwrap();
    assert_eq!(identity.peer_id().to_string().len(), 24);
}
