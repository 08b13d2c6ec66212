-- Lists of before had one ranking for all of a school year, and were held against データベースみまもり at its own length only.
create table screening.ranking_of_before as
from screening.ranking;

drop table screening.ranking;

create table screening.ranking (
    reference_date date not null,
    weights_version varchar not null,
    band varchar not null,
    cohort integer not null,
    rank integer not null,
    child_key varchar not null,
    school_code varchar not null,
    score double not null,
    own_levels integer not null,
    selected boolean not null,
    share_of varchar not null,
    tied_at_cut boolean not null,
    legacy_hits integer not null,
    legacy_flag boolean,
    newly_found boolean,
    newly_found_equal boolean not null,
    open_consultation boolean not null,
    known_before boolean not null,
    incomplete_delivery boolean not null,
    sibling_selected boolean not null
);

insert into screening.ranking by name
with legacy_lists as (
    select
        reference_date,
        child_key,
        row_number() over (
            partition by reference_date, cohort
            order by
                legacy_hits desc,
                sha256(reference_date::varchar || '|' || child_key)
        ) <= count(*) filter (selected) over (partition by reference_date, cohort) as is_listed
    from screening.ranking_of_before
)

select
    r.*,
    'cohort' as share_of,
    r.selected and not e.is_listed as newly_found_equal
from screening.ranking_of_before as r
join legacy_lists as e using (reference_date, child_key);

drop table screening.ranking_of_before;
