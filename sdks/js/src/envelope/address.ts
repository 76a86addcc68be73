import { cryptography } from "../platform/platform.js";
import { utf8 } from "../bytes.js";

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
const LABEL = /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/;
const OCTET = /^(?:0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])$/;

/** Whether a text is a version-3 onion address with a right checksum (Tor rend-spec-v3). */
export function isOnion(host: string): boolean {
  if (!/^[a-z2-7]{56}\.onion$/.test(host)) return false;
  const raw = new Uint8Array(35);
  let bits = 0;
  let value = 0;
  let place = 0;
  for (const letter of host.slice(0, 56)) {
    value = ((value << 5) | BASE32.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      raw[place++] = (value >> bits) & 0xff;
    }
  }
  const label = utf8(".onion checksum");
  const known = new Uint8Array(label.length + 33);
  known.set(label);
  known.set(raw.subarray(0, 32), label.length);
  known[known.length - 1] = 3;
  const checksum = cryptography().sha3_256(known);
  return raw[34] === 3 && raw[32] === checksum[0] && raw[33] === checksum[1];
}

/** Whether a text is an IPv4 or IPv6 address without brackets, or a host name (RFC 1123, underscores allowed). */
export function isHost(host: string): boolean {
  if (isIpv4(host) || isIpv6(host)) return true;
  const labels = (host.endsWith(".") ? host.slice(0, -1) : host).split(".");
  // A last label of digits would be a mistyped IPv4 address, never a usable name.
  return (
    host.length <= 253 && labels.every((label) => LABEL.test(label)) && !/^[0-9]+$/.test(labels.at(-1) ?? "")
  );
}

function isIpv4(text: string): boolean {
  const octets = text.split(".");
  return octets.length === 4 && octets.every((octet) => OCTET.test(octet));
}

function isIpv6(text: string): boolean {
  const [address = "", zone, ...more] = text.split("%");
  if (zone === "" || more.length > 0) return false;
  const tail = address.slice(address.lastIndexOf(":") + 1);
  if (tail.includes(".") && !isIpv4(tail)) return false;
  const whole = tail.includes(".") ? `${address.slice(0, -tail.length)}0:0` : address;
  const halves = whole.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? groups.length <= 7 : groups.length === 8;
}
