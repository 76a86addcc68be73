/** What arrives, for one reader that waits for it. */
export class Queue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  readonly #limit: number;
  #ended = false;
  #wake: (() => void) | undefined;

  /** @param limit - most items that wait; beyond, the oldest go. */
  constructor(limit = Infinity) {
    this.#limit = limit;
  }

  /** Add an item. After the end nothing is added. */
  push(item: T): void {
    if (this.#ended) return;
    if (this.#items.length >= this.#limit) this.#items.shift();
    this.#items.push(item);
    this.#wake?.();
  }

  /** Nothing more comes; what waits is still read. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** The next item, waiting for it; undefined at the end. */
  async shift(): Promise<T | undefined> {
    for (;;) {
      if (this.#items.length > 0) return this.#items.shift();
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    for (let item = await this.shift(); item !== undefined; item = await this.shift()) yield item;
  }
}
