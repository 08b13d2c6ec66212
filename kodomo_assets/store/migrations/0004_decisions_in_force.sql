-- What counts of the decisions of each date stands in tables of its own: filled for the dates that were decided before.
create table if not exists review.decisions_in_force (
    reference_date date not null,
    child_key varchar not null,
    meeting_date date not null,
    decision varchar not null,
    reason varchar,
    direction varchar,
    assigned_to varchar,
    decided_by varchar not null
);

insert into review.decisions_in_force
select reference_date, child_key, meeting_date, decision, reason, direction, assigned_to, decided_by
from review.decisions
qualify
    row_number() over (partition by reference_date, child_key order by meeting_date desc, read_at desc) = 1;

create table if not exists review.releases_in_force (
    reference_date date not null,
    child_key varchar not null,
    release boolean not null
);

-- The first landing knew no release without a decision; the table is made here because the next statement reads it.
create table if not exists review.releases (
    reference_date date not null,
    child_key varchar not null,
    decided_on date not null,
    decided_by varchar not null,
    release boolean not null,
    file varchar not null,
    row_number integer not null,
    read_at timestamptz not null
);

insert into review.releases_in_force
select reference_date, child_key, release
from (
    select reference_date, child_key, meeting_date as decided_on, read_at, release
    from review.decisions
    union all
    select reference_date, child_key, decided_on, read_at, release
    from review.releases
)
qualify
    row_number() over (
        partition by reference_date, child_key order by decided_on desc, read_at desc, release
    ) = 1;
