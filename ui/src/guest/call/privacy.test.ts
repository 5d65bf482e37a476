// @vitest-environment node
import { afterEach, describe, expect, it, vi } from "vitest";
import { canHide, HidingError, Privacy } from "./privacy";

const RELAY = { urls: ["turn:192.0.2.7:3478?transport=udp", "turns:calls.example.org:443?transport=tcp"] };
const STUN = { urls: ["stun:192.0.2.7:3478"] };

const relayOnly = () => new Privacy(true);
const told = (line: string) => relayOnly().candidate({ candidate: line })?.candidate ?? null;

describe("by relay only", () => {
  it("a relayed candidate keeps our address to itself", () => {
    const line =
      "candidate:1 1 udp 16777215 203.0.113.9 50000 typ relay raddr 192.168.1.5 rport 40000 generation 0 ufrag abcd";
    expect(told(line)).toBe(
      "candidate:1 1 udp 16777215 203.0.113.9 50000 typ relay raddr 0.0.0.0 rport 0 generation 0 ufrag abcd",
    );
    expect(told("candidate:1 1 udp 1 2001:db8::9 5 typ relay raddr fd00::1 rport 9")).toBe(
      "candidate:1 1 udp 1 2001:db8::9 5 typ relay raddr :: rport 0",
    );
    expect(told("candidate:1 1 udp 1 203.0.113.9 5 typ relay")).toBe("candidate:1 1 udp 1 203.0.113.9 5 typ relay");
    expect(told("candidate:1 1 udp 1 203.0.113.9 5 typ relay raddr 192.168.1.5")).not.toContain("192.168.1.5");
  });

  it.each(["host", "srflx raddr 192.168.1.5 rport 9", "prflx raddr 192.168.1.5 rport 9", "", "x relay"])(
    "what isn't relayed isn't told: typ %s",
    (kind) => {
      const candidate = { candidate: `candidate:1 1 udp 1 192.168.1.5 50000 typ ${kind}` };
      const privacy = relayOnly();
      expect(privacy.candidate(candidate)).toBeNull();
      expect(privacy.inVain(false)).toBeInstanceOf(HidingError);
      expect(new Privacy(false).candidate(candidate)).toEqual(candidate);
    },
  );

  it("a description names no address of ours", () => {
    const sdp =
      "v=0\r\no=- 1 2 IN IP4 192.168.1.5\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" +
      "c=IN IP4 192.168.1.5\r\na=rtcp:9 IN IP4 192.168.1.5\r\n" +
      "a=candidate:1 1 udp 1 192.168.1.5 5 typ host\r\n" +
      "a=candidate:2 1 udp 1 203.0.113.9 5 typ relay raddr 192.168.1.5 rport 7\r\na=mid:0\r\n";
    expect(relayOnly().description(sdp)).toBe(
      "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" +
        "c=IN IP4 0.0.0.0\r\na=candidate:2 1 udp 1 203.0.113.9 5 typ relay raddr 0.0.0.0 rport 0\r\na=mid:0\r\n",
    );
    expect(new Privacy(false).description(sdp)).toBe(sdp);
    // Without an address that could be replaced, a line is of no use to anybody.
    expect(relayOnly().description("o=- 1 2 192.168.1.5\nc=192.168.1.5\na=rtcp:9 192.168.1.5\n")).not.toContain("168");
  });

  it("no text brings an address past", () => {
    const parts = ["", " ", "typ relay", "typ host", " raddr 192.168.1.5", "raddr", " rport 9", "\t", "\r\n", "relay"];
    for (const [index, before] of parts.entries()) {
      for (const after of [...parts.slice(index), ...parts]) {
        const line = `candidate:${before} 192.168.1.5 ${after}`;
        const candidate = told(line);
        if (candidate !== null) {
          expect(line).toMatch(/\btyp\s+relay\b/);
          expect(candidate).not.toMatch(/ raddr (?!0\.0\.0\.0|::)/);
        }
        expect(() => relayOnly().description(`${line}\r\nc=${before} IN IP4 ${after}\r\n`)).not.toThrow();
      }
    }
  });

  it("servers that don't relay aren't asked: they would learn the address", () => {
    expect(relayOnly().servers([STUN, RELAY])).toEqual([RELAY]);
    expect(new Privacy(false).servers([STUN, RELAY, { urls: ["https://calls.example.org"] }])).toEqual([STUN, RELAY]);
  });

  it("names aren't looked up, whoever made them", () => {
    const named = { candidate: "candidate:1 1 udp 1 3f2a.local 50000 typ host" };
    const [v4, v6] = ["192.0.2.7", "2001:db8::7"].map((address) => ({
      candidate: `candidate:1 1 udp 1 ${address} 5 typ host`,
    }));
    expect([named, v4, v6].map((each) => each !== undefined && relayOnly().takes(each))).toEqual([false, true, true]);
    expect(new Privacy(false).takes(named)).toBe(true);
    expect(relayOnly().takes({ candidate: "" })).toBe(false);
    const sdp = `v=0\r\na=${named.candidate}\r\na=${v4?.candidate ?? ""}\r\n`;
    expect(relayOnly().theirs(sdp)).toBe(`v=0\r\na=${v4?.candidate ?? ""}\r\n`);
    expect(new Privacy(false).theirs(sdp)).toBe(sdp);
  });
});

describe("no relay", () => {
  it("is named before anything is described", () => {
    const privacy = relayOnly();
    const need = () => {
      privacy.needRelay();
    };
    expect(need).toThrow("only relayed addresses may be used, and there is no TURN server");
    privacy.servers([STUN]);
    expect(need).toThrow(HidingError);
    privacy.servers([RELAY]);
    expect(need).not.toThrow();
    expect(() => {
      new Privacy(false).needRelay();
    }).not.toThrow();
  });

  it("has its cause by server, what was said before what was kept silent", () => {
    const privacy = relayOnly();
    const refused = (url: string, errorCode: number, errorText = "") => {
      privacy.refused({ url, errorCode, errorText });
    };
    privacy.servers([STUN, RELAY]);
    const none = "only relayed addresses may be used, and no TURN server has given one";
    expect(privacy.inVain(false)?.message).toBe(none);
    expect(privacy.inVain(true)?.message).toBe(
      `${none}. The TURN server 192.0.2.7:3478 didn't answer. The TURN server calls.example.org:443 didn't answer`,
    );
    refused("turn:192.0.2.7:3478?transport=udp", 401, "Unauthorized");
    refused("turn:192.0.2.7:3478?transport=udp", 701, "TURN allocate request timed out.");
    refused("turns:calls.example.org:443?transport=tcp", 701, "TURN allocate request timed out.");
    refused("turn:198.51.100.7:3478", 486, "Allocation Quota Reached");
    expect(privacy.inVain(false)?.message).toBe(
      `${none}. ` +
        "The TURN server 192.0.2.7:3478 refused the user name or the password. " +
        "The TURN server calls.example.org:443 didn't answer. " +
        "The TURN server 198.51.100.7:3478 refused: 486 Allocation Quota Reached",
    );
    privacy.candidate({ candidate: "candidate:1 1 udp 1 203.0.113.9 5 typ relay raddr 0.0.0.0 rport 0" });
    expect(privacy.inVain(true)).toBeNull();
    expect(new Privacy(false).inVain(true)).toBeNull();
  });
});

describe("a browser", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it.each([
    ["relay", true],
    [undefined, false],
  ])("that says its policy is %s: hides: %s", (policy, hides) => {
    const close = vi.fn();
    class Connection {
      getConfiguration = () => ({ iceTransportPolicy: policy });
      close = close;
    }
    vi.stubGlobal("RTCPeerConnection", Connection);
    expect(canHide()).toBe(hides);
    expect(close).toHaveBeenCalledOnce();
  });
});
