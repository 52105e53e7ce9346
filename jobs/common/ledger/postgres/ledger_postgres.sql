-- What a ledger in PostgreSQL has beside the tables of ledger.sql: several machines share it. All of it runs
-- where an older one is brought up to date, after upgrade.py's POSTGRES.

create table if not exists ledger_version (version bigint not null);

-- Who may write the ledger of a job. All times are the database's.
create table if not exists leases (
    job          text not null primary key,
    holder       text not null,             -- in words: HOST pid N
    token        text not null,             -- of one run: what it knows its lease by
    fence        bigint not null,           -- one more for each run: a run with an old one writes nothing
    commits      bigint not null default 0, -- one more for each transaction that was committed
    locked_until timestamptz not null
);

-- What Celery's workers work on: a request from its intent until its run has taken over what became
-- of it. Then come the pace of all workers, and the workers. No clock of a worker's machine counts.
create table if not exists queue (
    request_id    text primary key,
    job           text not null,
    queue_name    text not null,  -- which workers take it
    label         text not null,              -- how the log calls it
    model         text not null,              -- that is asked
    body          text,                       -- the request's parameters; null once it has ended
    most_usd      double precision not null,  -- that one attempt can cost
    unsettled_usd double precision not null default 0,  -- that the attempts before can have cost
    capped        boolean not null,           -- there is a cap: only the run may pay once more
    attempts      bigint not null default 0,
    wasted        bigint not null default 0, -- attempts paid for that brought nothing of use
    deaths        bigint not null default 0, -- workers that were lost with it in flight
    created_at    timestamptz not null default clock_timestamp(),
    not_before    timestamptz not null default clock_timestamp(),
    sent_at       timestamptz,                -- first
    published_at  timestamptz,                -- null: no message about it is on its way
    worker        text,           -- null: nobody's
    fence         bigint not null default 0,  -- how often it was claimed
    lease_until   timestamptz,
    ended         text check (ended in ('answered', 'failed', 'lost', 'asks')),  -- null: to be done
    reason        text,
    code          bigint                     -- with which the run has to end, null for none
);
create index if not exists queue_to_publish on queue (queue_name, sent_at, created_at)
    where ended is null and worker is null and published_at is null;
create index if not exists queue_published on queue (queue_name, published_at)
    where ended is null and worker is null and published_at is not null;
create index if not exists queue_leases on queue (lease_until) where worker is not null;
create index if not exists queue_ended on queue (job) where ended is not null;
create index if not exists queue_by_job on queue (job);

-- Until when nobody asks a model: `account` is a short hash of key and address.
create table if not exists pace (
    account    text,
    model      text,
    not_before timestamptz not null,
    primary key (account, model)
);

create table if not exists workers (
    worker       text primary key,
    host         text not null,
    pid          bigint not null,
    queue_name   text not null,
    concurrency  bigint not null,
    started_at   timestamptz not null default clock_timestamp(),
    heartbeat_at timestamptz not null default clock_timestamp(),
    claimed_at   timestamptz,
    claimed      bigint not null default 0,
    answered     bigint not null default 0
);

create table if not exists queues (
    queue_name text primary key,
    -- Begins the names of its keys, so that installations can share a Redis.
    mark       text not null default substr(md5(random()::text), 1, 8),
    swept_at   timestamptz not null default '-infinity'
);
