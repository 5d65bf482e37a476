import type { CodeProblem } from "./start/code";

/** What is wrong with a code, and what to do about it. */
function codeProblem(why: CodeProblem): string {
  switch (why.kind) {
    case "characters":
      return "That doesn't look like a code. A code is a number and two words, such as 4827-tulip-orbit.";
    case "number":
      return "A code begins with its number of at least four digits, such as 4827-tulip-orbit.";
    case "no-words":
      return "The two words behind the number are missing. A code looks like 4827-tulip-orbit.";
    case "one-word":
      return "The second word is missing. A code looks like 4827-tulip-orbit.";
    case "many-words":
      return "That is more than two words. A code looks like 4827-tulip-orbit.";
    case "address":
      return `“${why.address}” isn't an address. Behind the @ stands one such as 192.168.1.7:7880, or nothing with the @ left out.`;
    case "unknown": {
      const none = `“${why.word}” isn't one of the words that codes are made of.`;
      return why.near.length === 0 ? none : `${none} Did you mean ${why.near.join(" or ")}?`;
    }
    case "uncertain":
      return `“${why.word}” could be ${why.fits.join(", ")}. Type another letter.`;
  }
}

/** Every word the app says by itself, in one place and ready for translation. Sentences about a call come with its view. */
export const text = {
  name: "Visavis",
  tagline: "Video calls for two. One code, no account.",

  start: {
    create: { title: "Start a call", hint: "You get a code for the other person.", action: "Start a call" },
    join: { title: "Enter code", hint: "Type or paste the one you were given.", field: "Code", action: "Join" },
    codeExample: "4827-tulip-orbit",
    codeEmpty: "Enter the code that you were given.",
    codeProblem,
    completeOne: (word: string) => `Press Tab for ${word}.`,
    hide: "Hide my address",
    hideHint: "Picture and sound go by a relay, which may be slower. The other person doesn't learn where you are.",
    network: "No server is set: calls reach this computer's network.",
    machine: "No server is set: calls reach this computer only.",
    setServer: "Set a server",
    server: (url: string) => `Server: ${url}`,
    version: (version: string) => `Version ${version}`,
    profile: (name: string) => `Profile ${name}`,
  },

  progress: {
    preparing: "Reaching the server",
    joining: "Looking for the other person",
    connecting: "Connecting",
    again: "The same two as before.",
    code: (code: string) => `Code ${code}`,
    ahead: (n: number) => (n === 1 ? "1 person is before you." : `${n} people are before you.`),
    cancel: "Cancel",
    tryingAgain: (problem: string) => `${problem} Trying again…`,
  },

  waiting: {
    title: "Give this code to the other person",
    hint: "The call begins when they enter it.",
    knocking: "They typed the code",
    knockingHint: "Connecting the two of you.",
    code: (spelled: string) => `Code ${spelled}`,
    copy: "Copy code",
    copied: "Copied",
    guest: (host: string) =>
      `No app over there? A link opens the call in a browser. Whoever runs ${host} could then read the words.`,
    copyLink: "Copy link",
    network: "No server is set: this code is good in the network that you are in.",
    longer: (code: string) => `If their app doesn't find you there, give them the longer one: ${code}`,
    copyLonger: "Copy it",
    machine: "No server is set, so this code works only on this computer. To call another one, set a server address.",
    openSettings: "Open settings",
    cancel: "Cancel",
  },

  pictures: {
    label: (names: string) => `Pictures: ${names}`,
    hint: "The other person sees the same six. Compare them aloud if you want to be sure.",
  },

  call: {
    label: "Call",
    controls: "Call controls",
    devices: "Your camera and microphone",
    microphone: "Microphone",
    camera: "Camera",
    hangUp: "Hang up",
    noMicrophone: "No microphone found",
    noCamera: "No camera found",
    microphoneOff: "Microphone is off",
    cameraOff: "Camera is off",
    remotePicture: "The other person",
    selfPicture: "You",
    remoteMuted: "They are muted",
    remoteCameraOff: "Their camera is off",
    pictureComing: "Waiting for the picture",
    noCodec: "Pictures can't be shown: the two sides share no video codec. Sound goes on.",
    elapsed: "Call time",
    reconnecting: "Connection lost. Trying to get it back…",
    dropped: {
      local: "Your network seems to be down. The call goes on as soon as it is back.",
      unknown: "It may be your network or theirs. The call goes on as soon as it is back.",
    },
    lostFor: (time: string) => `For ${time}`,
    openSettings: "Open settings",
  },

  quality: {
    button: (grade: string, time: string) => `Quality ${grade}, call time ${time}`,
    title: "Call quality",
    grade: { good: "good", fair: "fair", poor: "poor", unknown: "not measured yet" },
    delay: "Round trip",
    loss: "Lost",
    sent: "Sent",
    received: "Received",
    picture: "Picture",
    path: "Path",
    direct: "Direct",
    relay: "Through a relay",
    milliseconds: (value: number) => `${value} ms`,
    percent: (value: number) => `${value.toFixed(1)} %`,
    kilobits: (value: number) => (value < 1000 ? `${value} kb/s` : `${(value / 1000).toFixed(1)} Mb/s`),
    pictureSize: (width: number, height: number, fps: number) => `${width} × ${height}, ${Math.round(fps)} fps`,
    none: "None",
    noCodec: "No codec in common",
    more: "All figures",
    less: "Fewer figures",
    protocol: "Protocol",
    codecs: "Coded as",
    sentFrames: "Frames sent",
    perSecond: (value: number) => `${Math.round(value)} a second`,
    available: "Way out carries",
    limited: (rate: string) => `${rate}, less than wanted`,
    resent: "Packets resent",
    waits: "Sound waits",
    concealed: "Sound made up",
    freezes: "Picture froze",
    times: (n: number) => (n === 1 ? "once" : `${n} times`),
    work: "Encode, decode",
    workTimes: (encode: number, decode: number) => `${encode.toFixed(1)}, ${decode.toFixed(1)} ms`,
  },

  knowledge: {
    title: "Who knows what",
    other: "The other person",
    hidden: "Knows the relay's address and not yours.",
    told: "Was told your addresses, so that the call can take the shortest way.",
    relay: "The relay",
    relayKnows: "Knows where you are, and how much you send and when. It can't see or hear you.",
    server: "The server",
    serverKnows: "Knows both addresses and when you called. It never had the code's words, and can't see or hear you.",
    noServer: "There is none: the call was arranged by the app of whoever started it.",
    host: (host: string) =>
      `Knows both addresses and when you called. This page came from ${host}, which could have read the code's words.`,
  },

  report: {
    save: "Save a report",
    hint: "A file with what happened and the statistics, to show to whoever helps you. Nothing is sent anywhere.",
    open: "Include addresses and the code",
    openHint: "They tell where you and the other person are. Leave this off unless you are asked for them.",
    saved: (path: string) => `Saved as ${path}`,
  },

  ended: {
    title: "Call ended",
    notConnected: "No connection",
    lasted: (duration: string) => `The call lasted ${duration}.`,
    again: "Call again",
    awaited: "The other person has been asked…",
    asked: "The other person wants to call again.",
    agree: "Join",
    cancel: "Cancel",
    retry: "Try again",
    enterCode: "Enter a code",
    newCall: "New call",
    done: "Done",
    openSettings: "Open settings",
  },

  /** The guest page: what the app says for itself, a browser's page has to say in its own words. */
  guest: {
    host: (host: string) => `Guest of ${host}`,
    you: (host: string) => `You are a browser guest: you trust ${host}.`,
    both: (host: string, other: string) =>
      host === other
        ? `You are both browser guests: you trust ${host}.`
        : `You are both browser guests: you trust ${host}, they trust ${other}.`,
    note: (host: string) =>
      `You are a guest in a browser. This page comes from ${host}, and whoever runs ${host} could read the code that you type. The app trusts nobody in between.`,
    appOnly: "This code says behind its @ where in a network it is good. Only the app can call there.",
    asking: "Your browser asks whether this page may use the camera and the microphone.",
    blocked:
      "The browser is blocking the camera or the microphone. Allow them beside the address, then turn them on again; you can go on without.",
    busy: (what: string) =>
      `The ${what} is used by another program. Close that, then turn it on again; you can go on without.`,
    missing: (what: string) => `No ${what} was found. You can go on without.`,
    failed: (what: string) => `The ${what} can't be opened. You can go on without.`,
    camera: "camera",
    microphone: "microphone",
    hiding: {
      cannot:
        "This browser can't keep your address from the other person. Use another one, or turn Hide my address off to call without.",
      shown:
        "this browser looks for addresses of yours that it was asked to leave out, so your address can't be hidden",
      noRelay:
        "only relayed addresses may be used, and there is no TURN server: ask whoever runs this page's server for one, or turn Hide my address off",
      /** `causes`: sentences. */
      noneGiven: (causes: readonly string[]) =>
        ["only relayed addresses may be used, and no TURN server has given one", ...causes].join(". "),
      password: (relay: string) => `The TURN server ${relay} refused the user name or the password`,
      refused: (relay: string, code: number, words: string) => `The TURN server ${relay} refused: ${code} ${words}`,
      silent: (relay: string) => `The TURN server ${relay} didn't answer`,
    },
    insecure: "Browsers allow calls on secure pages only: this one has to be opened with https.",
    guessed: (left: number) =>
      `Somebody entered this code with words that don't match: a typo, or someone guessing. Nobody got in. ${left === 1 ? "One more try" : `${left} more tries`} before the code is burnt.`,
    ended: {
      "hung-up": () => "You hung up.",
      "peer-hung-up": () => "The other person hung up.",
      "peer-lost": () => "The connection to the other person was lost. You can call again.",
      "no-such-room": (nameplate: string) =>
        `No one is waiting on ${nameplate}. Check the number, or ask for a new code.`,
      "room-full": () => "Two people are already here. If you didn't expect that, ask for a new code.",
      "line-full": () => "Too many others are waiting to be let in. Try again in a moment.",
      "no-answer": () => "The person with this code didn't answer. Try again, or ask for a new code.",
      dismissed: () => "The other person's app couldn't use what this page sent. Reload the page and try again.",
      "wrong-words": () =>
        "No one is waiting under this code: a digit or a word is wrong, or it has lapsed; or somebody is in between. Check it with the other person, or ask for a new one.",
      tampered: (why: string) =>
        `Somebody between you and the other person tampered with the call: ${why}. No picture or sound was sent. Try again with a new code.`,
      burnt: () =>
        "Other words were tried three times, so this code is no longer good. Start a new call for a new code.",
      "wrong-certificate": () =>
        "What answered isn't the other person's app. Nothing was sent to it. Try again with a new code.",
      expired: () => "Nobody came, and the code has lapsed. Start a new call for a new code.",
      "server-unreachable": (why: string) => `The server can't be reached: ${why}. Try again in a moment.`,
      "server-refused": (why: string) => `The server said no: ${why}`,
      "no-path": () => "No path to the other person was found. Another network may help, or a server with TURN.",
      "bad-message": (why: string) => `The other side's app doesn't speak this version's language: ${why}.`,
      "transport-failed": (why: string) => `The connection failed: ${why}. You can call again.`,
    },
    quality: {
      unknown: "Not measured yet.",
      good: "Sound and picture flow freely.",
      causes: {
        fromThem: (value: number) => `Their uplink loses ${value}%.`,
        toThem: (value: number) => `Your uplink loses ${value}%.`,
        ourComputer: () => "Your computer can't keep up with the pictures.",
        theirComputer: () => "Their computer can't keep up with the pictures.",
        delay: (value: number) => `Sound takes long: ${value} ms there and back.`,
        sound: (value: number) => `${value}% of their sound doesn't arrive in time.`,
      },
    },
  },

  settings: {
    title: "Settings",
    open: "Settings",
    back: "Back",
    duringCall: "Devices and sound change at once; the rest applies to the next call.",
    server: {
      title: "Server",
      field: "Server address",
      hint: "Both people need the same one. Left empty, calls reach the local network only.",
      example: "wss://calls.example.org",
      local: "Local network",
      localHint:
        "Finds calls there, and yours is found while you wait. Others there see that a call is waited for, not whose. Off with Relay only.",
    },
    relays: {
      title: "STUN and TURN servers",
      hint: "They help when a network stands in the way. Most calls need none.",
      urls: (n: number) => `Address of server ${n}`,
      username: (n: number) => `User of server ${n}`,
      credential: (n: number) => `Password of server ${n}`,
      urlsShort: "Address",
      usernameShort: "User",
      credentialShort: "Password",
      password: {
        kept: "A password is kept",
        keychain: "Kept in this computer's keychain.",
        file: "The password is kept in the settings file, which programs you run can read.",
        unread: "It has the password, which calls do without until then.",
        missing: "This computer's keychain doesn't have it. Enter it again.",
        waiting: "Waiting for this computer's keychain. It may be asking you to unlock it.",
      },
      example: "turn:turn.example.org:3478",
      add: "Add a server",
      remove: (n: number) => `Remove server ${n}`,
      relayOnly: "Relay only",
      relayOnlyHint: "Hides your address from the other person. Calls need a TURN server and may be slower.",
      nameLocal: "Hide local addresses",
      nameLocalHint: "The other person learns this computer's address in its own network only if they are there too.",
    },
    check: {
      title: "What the servers answered",
      start: "Test these servers",
      stop: "Stop",
      asking: "Being asked",
      good: "Can be used",
      bad: "Can't be used",
      took: (ms: number) => `${ms} ms`,
    },
    devices: {
      title: "Devices",
      camera: "Camera",
      microphone: "Microphone",
      speaker: "Speaker",
      systemDefault: "System default",
      missing: (name: string) => `${name} (not connected)`,
    },
    sound: {
      title: "Sound",
      hint: "What is done to your microphone's sound. It changes at once, and only in this app.",
      removeEcho: "Remove echo",
      removeEchoHint: "Takes out what your speaker plays. Can be off with headphones.",
      reduceNoise: "Reduce noise",
      noise: { off: "Off", low: "Low", high: "High" },
      evenLoudness: "Even out loudness",
      evenLoudnessHint: "Brings quiet voices up and loud ones down.",
    },
    save: "Save",
    cancel: "Cancel",
  },

  failure: {
    internal: "Something went wrong inside the app. Try again, or restart it.",
    close: "Close message",
  },
} as const;

/** Milliseconds as a clock: `4:07`, `1:02:09`. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** Milliseconds in words: `4 minutes 7 seconds`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const parts: [number, string][] = [
    [Math.floor(seconds / 3600), "hour"],
    [Math.floor(seconds / 60) % 60, "minute"],
    [seconds % 60, "second"],
  ];
  const words = parts.filter(([n]) => n > 0).map(([n, unit]) => `${n} ${unit}${n === 1 ? "" : "s"}`);
  return words.slice(0, 2).join(" ") || "less than a second";
}
