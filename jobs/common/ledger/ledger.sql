-- Run whenever a ledger is opened to be written. What an older one has otherwise: upgrade.py.

-- `job` is JOB@VERSION where answers stand apart from the records' own state: see apart.py.

create table if not exists records (
    job        text not null,
    record_id  text not null,
    status     text not null check
        (status in ('submitted', 'answered', 'done', 'failed', 'waiting', 'dead', 'corrected')),
    failures   integer not null default 0,  -- answers that could not be used, asked alone
    crashes    integer not null default 0,  -- how surely runs died of it: see recovery.py
    error      text,
    request_id text,
    version    text,                        -- of what was asked for the output: Job.version
    output     text,                        -- JSON; null where it is part of its request's answer
    updated_at text not null,
    primary key (job, record_id)
) without rowid;

-- `status` counts by these, since the table itself holds every output. A record enters the first one
-- once, when it is done, and the second one seldom. A question has to repeat an index's condition
-- word for word to be answered by it.
create index if not exists records_done on records (job, version, status)
    where status in ('done', 'corrected');
create index if not exists records_unfinished on records (job, status, updated_at)
    where status in ('failed', 'waiting', 'dead');

create table if not exists requests (
    request_id         text primary key,
    job                text not null,
    run_id             text not null,
    delivery           text not null,
    purpose            text not null default 'run',  -- or try, eval, second opinion, correction
    version            text,                -- of the job: Job.version
    status             text not null check
        (status in ('submitted', 'answered', 'done', 'failed', 'lost')),
    record_ids         text not null,       -- JSON array; empty: it is about other requests' answers
    attempts           integer not null,
    answer             text,                -- the message as it came, JSON
    error              text,
    model              text not null,
    input_tokens       integer not null default 0,
    output_tokens      integer not null default 0,
    cache_write_tokens integer not null default 0,
    cache_read_tokens  integer not null default 0,
    usd                real,                -- null: not answered, or no known price
    unsettled_usd      real not null default 0,  -- most that attempts of unknown outcome can cost
    api_request_id     text,
    message_batch_id   text,
    created_at         text not null,
    ended_at           text
);
create index if not exists requests_under_way on requests (job)
    where status in ('submitted', 'answered');
create index if not exists requests_by_run on requests (run_id);
create index if not exists requests_by_message_batch on requests (message_batch_id)
    where message_batch_id is not null;
-- All that is asked about costs, so that no answer is read for it.
create index if not exists requests_spent on requests
    (job, created_at, model, purpose, usd, unsettled_usd);

create table if not exists message_batches (
    message_batch_id text primary key,      -- Claude's, or the name of the intent before
    run_id           text not null,
    job              text not null,
    status           text not null,
    requests         integer not null,
    head             text not null default '',  -- the workspace's newest one at the intent
    created_at       text not null,
    missed_at        text,                  -- of an intent: when it was first looked for in vain
    expires_at       text,
    ended_at         text
);

create table if not exists windows (                      -- what has been reported
    job        text not null,
    "window"   text not null,               -- the day, 2026-11-21
    records    integer not null,
    made_from  text not null,               -- a hash of the report's digests and dead letters
    updated_at text not null,
    report     text,                        -- JSON: what it says; see reported/stored_reports.py
    primary key (job, "window")
);

create table if not exists left_out (                     -- rows that nothing is sent about
    job        text not null,
    why        text not null,
    records    integer not null,            -- as the last run that ended in order counted them
    primary key (job, why)
);

create table if not exists tries (                        -- which records --try took
    job          text not null,
    version      text not null,             -- that was tried
    chosen_for   text not null,             -- the version for which they were chosen
    record_ids   text not null,             -- JSON array, in the order of the SELECT
    tried_at     text not null,
    primary key (job, version)
);

create table if not exists runs (
    run_id        text not null,
    job           text not null,
    started_at    text not null,
    ended_at      text,
    exit_code     integer,
    delivery      text not null,
    model         text not null,
    records       integer not null default 0,
    done          integer not null default 0,
    failed        integer not null default 0,
    dead          integer not null default 0,
    requests      integer not null default 0,
    input_tokens  integer not null default 0,
    output_tokens integer not null default 0,
    usd           real not null default 0,
    version       text,                     -- of the job, where an answer was of use: Job.version
    outputs       text,                     -- JSON: what they looked like, field by field
    warnings      text,                     -- JSON array: what looks wrong in them
    primary key (job, run_id)
);
create index if not exists runs_by_time on runs (job, started_at);
