-- A ledger in PostgreSQL as version 2 made it.
create table if not exists records (
    job        text collate "C" not null,
    record_id  text collate "C" not null,
    status     text collate "C" not null check
        (status in ('submitted', 'answered', 'done', 'failed', 'waiting', 'dead')),
    failures   bigint not null default 0,
    crashes    bigint not null default 0,
    error      text collate "C",
    request_id text collate "C",
    output     text collate "C",
    updated_at text collate "C" not null,
    primary key (job, record_id)
);
create index if not exists records_done on records (job, status) where status = 'done';
create index if not exists records_unfinished on records (job, status, updated_at)
    where status in ('failed', 'waiting', 'dead');
create table if not exists requests (
    request_id         text collate "C" primary key,
    job                text collate "C" not null,
    run_id             text collate "C" not null,
    delivery           text collate "C" not null,
    status             text collate "C" not null check
        (status in ('submitted', 'answered', 'done', 'failed', 'lost')),
    record_ids         text collate "C" not null,
    attempts           bigint not null,
    answer             text collate "C",
    error              text collate "C",
    model              text collate "C" not null,
    input_tokens       bigint not null default 0,
    output_tokens      bigint not null default 0,
    cache_write_tokens bigint not null default 0,
    cache_read_tokens  bigint not null default 0,
    usd                double precision,
    unsettled_usd      double precision not null default 0,
    api_request_id     text collate "C",
    message_batch_id   text collate "C",
    created_at         text collate "C" not null,
    ended_at           text collate "C"
);
create index if not exists requests_under_way on requests (job)
    where status in ('submitted', 'answered');
create index if not exists requests_by_run on requests (run_id);
create index if not exists requests_by_message_batch on requests (message_batch_id)
    where message_batch_id is not null;
create index if not exists requests_spent on requests (job, created_at, model, usd, unsettled_usd);
create table if not exists message_batches (
    message_batch_id text collate "C" primary key,
    run_id           text collate "C" not null,
    job              text collate "C" not null,
    status           text collate "C" not null,
    requests         bigint not null,
    head             text collate "C" not null default '',
    created_at       text collate "C" not null,
    missed_at        text collate "C",
    expires_at       text collate "C",
    ended_at         text collate "C"
);
create table if not exists windows (
    job        text collate "C" not null,
    "window"   text collate "C" not null,
    records    bigint not null,
    made_from  text collate "C" not null,
    updated_at text collate "C" not null,
    primary key (job, "window")
);
create table if not exists left_out (
    job        text collate "C" not null,
    why        text collate "C" not null,
    records    bigint not null,
    primary key (job, why)
);
create table if not exists runs (
    run_id        text collate "C" not null,
    job           text collate "C" not null,
    started_at    text collate "C" not null,
    ended_at      text collate "C",
    exit_code     bigint,
    delivery      text collate "C" not null,
    model         text collate "C" not null,
    records       bigint not null default 0,
    done          bigint not null default 0,
    failed        bigint not null default 0,
    dead          bigint not null default 0,
    requests      bigint not null default 0,
    input_tokens  bigint not null default 0,
    output_tokens bigint not null default 0,
    usd           double precision not null default 0,
    version       text collate "C"
);
create index if not exists runs_by_time on runs (job, started_at);
create table if not exists ledger_version (version bigint not null);
create table if not exists leases (
    job          text collate "C" not null primary key,
    holder       text collate "C" not null,
    token        text collate "C" not null,
    fence        bigint not null,
    commits      bigint not null default 0,
    locked_until timestamptz not null
);
create unique index if not exists runs_of_jobs on runs (job, run_id);
create table if not exists queue (
    request_id    text collate "C" primary key,
    job           text collate "C" not null,
    queue_name    text collate "C" not null,
    label         text collate "C" not null,
    model         text collate "C" not null,
    body          text collate "C",
    most_usd      double precision not null,
    unsettled_usd double precision not null default 0,
    capped        boolean not null,
    attempts      bigint not null default 0,
    wasted        bigint not null default 0,
    deaths        bigint not null default 0,
    created_at    timestamptz not null default clock_timestamp(),
    not_before    timestamptz not null default clock_timestamp(),
    sent_at       timestamptz,
    published_at  timestamptz,
    worker        text collate "C",
    fence         bigint not null default 0,
    lease_until   timestamptz,
    ended         text collate "C" check (ended in ('answered', 'failed', 'lost', 'asks')),
    reason        text collate "C",
    code          bigint
);
create index if not exists queue_to_publish on queue (queue_name, sent_at, created_at)
    where ended is null and worker is null and published_at is null;
create index if not exists queue_published on queue (queue_name, published_at)
    where ended is null and worker is null and published_at is not null;
create index if not exists queue_leases on queue (lease_until) where worker is not null;
create index if not exists queue_ended on queue (job) where ended is not null;
create index if not exists queue_by_job on queue (job);
create table if not exists pace (
    account    text collate "C",
    model      text collate "C",
    not_before timestamptz not null,
    primary key (account, model)
);
create table if not exists workers (
    worker       text collate "C" primary key,
    host         text collate "C" not null,
    pid          bigint not null,
    queue_name   text collate "C" not null,
    concurrency  bigint not null,
    started_at   timestamptz not null default clock_timestamp(),
    heartbeat_at timestamptz not null default clock_timestamp(),
    claimed_at   timestamptz,
    claimed      bigint not null default 0,
    answered     bigint not null default 0
);
create table if not exists queues (
    queue_name text collate "C" primary key,
    mark       text collate "C" not null default substr(md5(random()::text collate "C"), 1, 8),
    swept_at   timestamptz not null default '-infinity'
);
insert into ledger_version values (2);
