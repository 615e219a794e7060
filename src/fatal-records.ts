// Records that ended the worker that folded them. One that does so three times is passed over; before that it may have been the machine.
// They are counted in the process that goes on, so that no recovery forgets them.

/** So often a record may end its worker. */
const MAX_DEATHS = 3;
/** More records than these are no bad records, but something else that is wrong. */
const MAX_RECORDS = 16;

export type RecordPosition = [partition: number, offset: number];

export class FatalRecords {
  /** Those to be passed over. */
  readonly passedOver: RecordPosition[] = [];
  private readonly deaths = new Map<string, number>();

  /** What to do after a record has ended its worker. */
  died(record: RecordPosition): 'try_again' | 'pass_over' | 'give_up' {
    const key = record.join(':');
    const deaths = (this.deaths.get(key) ?? 0) + 1;
    if (deaths === 1 && this.deaths.size >= MAX_RECORDS) return 'give_up';
    this.deaths.set(key, deaths);
    if (deaths < MAX_DEATHS) return 'try_again';
    this.passedOver.push(record);
    return 'pass_over';
  }
}
