//! Sends a message to a contact, and reads what contacts send.

use p4_client::Value;

#[tokio::main]
async fn main() -> p4_client::Result<()> {
    let me = p4_client::connect().await?;
    let phone = me.contact("phone")?;

    let mut receipt = phone.send("notes", "hello").await?; // on disk: it arrives, once
    receipt.delivered().await?;
    println!("delivered to {}", phone.status().await?.label());

    let mut notes = me.messages("notes")?;
    while let Some(message) = notes.next().await {
        let message = message?;
        println!("{} says {:?}", message.contact.label(), message.value()?);
        message.done().await?; // it will not come again
        if message.value()? == &Value::from("bye") {
            break;
        }
    }
    Ok(())
}
