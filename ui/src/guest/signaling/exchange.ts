/**
 * The bodies of one exchange in both directions: numbered, sent a bounded way ahead, kept until the other side has them,
 * sent again byte for byte after a lost connection, and received once each.
 */
import { MAX_UNACKNOWLEDGED, MAX_UNACKNOWLEDGED_BYTES, type ClientMessage } from "./messages";

export type Arrival = "new" | "duplicate" | "gap";

export class Exchange {
  readonly number: number;
  confirmSent = false;
  paired = false;
  /** The `seq` of the first body in `#unacknowledged`. */
  #firstSeq = 1;
  #unacknowledged: string[] = [];
  /** How many of them went out on the present socket, or are known to have arrived at the server. */
  #sent = 0;
  #received = 0;

  constructor(number: number) {
    this.number = number;
  }

  get received(): number {
    return this.#received;
  }

  push(body: string): void {
    this.#unacknowledged.push(body);
  }

  /** The next body that may go out, if any. Bodies are ASCII: their length is their size. */
  nextToSend(): ClientMessage | null {
    const body = this.#unacknowledged[this.#sent];
    if (body === undefined || this.#sent >= MAX_UNACKNOWLEDGED) return null;
    const underWay = this.#unacknowledged.slice(0, this.#sent).reduce((bytes, sent) => bytes + sent.length, 0);
    if (underWay + body.length > MAX_UNACKNOWLEDGED_BYTES) return null;
    const seq = this.#firstSeq + this.#sent;
    this.#sent += 1;
    return { type: "relay", exchange: this.number, seq, body };
  }

  /** The other side has everything up to `seq`. */
  acknowledge(seq: number): void {
    const gone = Math.max(0, Math.min(seq - this.#firstSeq + 1, this.#sent));
    this.#unacknowledged.splice(0, gone);
    this.#firstSeq += gone;
    this.#sent -= gone;
  }

  /** A new socket: the server has everything up to `seq`, the rest goes out again. */
  rewind(seq: number): void {
    this.#sent = Math.min(Math.max(0, seq - this.#firstSeq + 1), this.#unacknowledged.length);
  }

  arrive(seq: number): Arrival {
    if (seq <= this.#received) return "duplicate";
    if (seq !== this.#received + 1) return "gap";
    this.#received = seq;
    return "new";
  }

  ack(): ClientMessage {
    return { type: "ack", exchange: this.number, seq: this.#received };
  }
}
