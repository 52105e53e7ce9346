-- What a ledger in PostgreSQL has beside the tables of ledger.sql: several machines share it.

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

-- Two machines may start runs of two jobs in one second, with one pid.
create unique index if not exists runs_of_jobs on runs (job, run_id);
