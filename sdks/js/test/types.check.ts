// Compiled, never run: our hand-kept types against those of the API's document. A difference does not compile.
import type { Camel } from "../src/client/names.js";
import type * as ours from "../src/client/types.js";
import type { components } from "./openapi.generated.js";

type Theirs<Name extends keyof components["schemas"]> = Camel<components["schemas"][Name]>;
/** Members of both, and whether they fit, whatever is readonly or optional because it has a default. */
type Loose<T> = T extends readonly (infer Item)[]
  ? Loose<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]-?: Loose<Exclude<T[Key], undefined>> }
    : T;
type Same<One, Other> = [Loose<One>] extends [Loose<Other>]
  ? [Loose<Other>] extends [Loose<One>]
    ? true
    : ["missing or other in ours", Loose<Other>, Loose<One>]
  : ["missing or other in theirs", Loose<One>, Loose<Other>];

const same: {
  contactName: Same<ours.ContactName, Theirs<"ContactName">>;
  contact: Same<ours.ContactStatus, Theirs<"ContactModel">>;
  path: Same<ours.LinkPath, Theirs<"PathModel">>;
  identity: Same<ours.DeviceIdentity, Theirs<"IdentityModel">>;
  status: Same<ours.DeviceStatus, Theirs<"StatusModel">>;
  invite: Same<ours.DeviceInvite, Theirs<"InviteModel">>;
  token: Same<ours.TokenRecord, Theirs<"TokenModel">>;
  newToken: Same<ours.NewToken, Theirs<"MadeTokenModel">>;
  webLogin: Same<ours.WebLogin, Theirs<"WebLoginModel">>;
  service: Same<ours.ServiceUse, Theirs<"ServiceModel">>;
  diagnosis: Same<ours.Diagnosis, Theirs<"DiagnosisModel">>;
  verification: Same<ours.Verification, Theirs<"VerificationModel">>;
  rotation: Same<ours.Rotation, Theirs<"RotationModel">>;
  chatFile: Same<ours.ChatFile, Theirs<"FileModel">>;
  chatLine: Same<ours.ChatLine, Theirs<"EntryModel">>;
  chatPage: Same<ours.ChatPage, Theirs<"PageModel">>;
  conversation: Same<ours.ChatConversation, Theirs<"ConversationModel">>;
} = {
  contactName: true,
  contact: true,
  path: true,
  identity: true,
  status: true,
  invite: true,
  token: true,
  newToken: true,
  webLogin: true,
  service: true,
  diagnosis: true,
  verification: true,
  rotation: true,
  chatFile: true,
  chatLine: true,
  chatPage: true,
  conversation: true,
};
void same;
