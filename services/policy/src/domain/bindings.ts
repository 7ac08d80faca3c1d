import type { Binding, Role } from './model.ts';

interface Held {
  binding: Binding;
  readonly keys: string[];
}

/**
 * Bindings this instance knows of, newest kept: a re-sent INVITE lands on the same
 * node even while session-cache is away.
 */
export class BindingMemory {
  readonly #sessions = new Map<string, Held>();
  readonly #byKey = new Map<string, Held>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#sessions.size;
  }

  bySession(sessionId: string): Binding | undefined {
    return this.#sessions.get(sessionId)?.binding;
  }

  byCallId(tenantId: string, role: Role, callId: string): Binding | undefined {
    return this.#byKey.get(callKey(tenantId, role, callId))?.binding;
  }

  byAffinity(tenantId: string, role: Role, affinityKey: string): Binding | undefined {
    return affinityKey ? this.#byKey.get(affinityOf(tenantId, role, affinityKey))?.binding : undefined;
  }

  /** Remembers a binding; `callId` is that of a later participant who joined the session by its affinity key. */
  put(binding: Binding, callId = binding.callId): void {
    let held = this.#sessions.get(binding.sessionId);
    if (held) {
      held.binding = binding;
      // Moved to the end: the one longest untouched is the first to be forgotten.
      this.#sessions.delete(binding.sessionId);
    } else held = { binding, keys: [] };
    this.#sessions.set(binding.sessionId, held);
    this.#point(held, callKey(binding.tenantId, binding.role, binding.callId));
    if (callId !== binding.callId) this.#point(held, callKey(binding.tenantId, binding.role, callId));
    if (binding.affinityKey)
      this.#point(held, affinityOf(binding.tenantId, binding.role, binding.affinityKey));
    if (this.#sessions.size > this.#limit) this.remove(this.#sessions.keys().next().value!);
  }

  remove(sessionId: string): void {
    const held = this.#sessions.get(sessionId);
    if (!held) return;
    this.#sessions.delete(sessionId);
    for (const key of held.keys) if (this.#byKey.get(key) === held) this.#byKey.delete(key);
  }

  /** Session ids in memory, oldest first. */
  sessionIds(): IterableIterator<string> {
    return this.#sessions.keys();
  }

  #point(held: Held, key: string): void {
    if (this.#byKey.get(key) === held) return;
    this.#byKey.set(key, held);
    held.keys.push(key);
  }
}

// Tenant ids and roles hold no blank, so no Call-ID can imitate another tenant's key.
function callKey(tenantId: string, role: Role, callId: string): string {
  return `call ${tenantId} ${role} ${callId}`;
}

function affinityOf(tenantId: string, role: Role, affinityKey: string): string {
  return `affinity ${tenantId} ${role} ${affinityKey}`;
}
