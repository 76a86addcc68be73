/** Identity, canonical JSON, envelopes, replay windows and invites, without a daemon (spec/identity.md, envelope.md). */
package p4.core;
