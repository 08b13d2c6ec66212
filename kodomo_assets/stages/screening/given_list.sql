-- `noted_completions`: those of the date, with the list that people have in their hands, as a hash, noted before another one
-- takes its place. That is the list which the newest decisions are on, those too that only lie in the inbox, or, while there
-- are none, the one that a later date came after. It stays noted until there are decisions on another one.
create or replace temp table noted_completions as
with before as (
    select *
    from published.completions
    where reference_date = $reference_date
),

-- when the last decision was read; empty while there are none
given as (
    select
        coalesce(epoch_us(max(d.read_at))::varchar, '') as last_decision,
        count(*) > 0
        or $decided
        or exists (select 1 from screening.ranking as r where r.reference_date > $reference_date) as is_out
    from review.decisions as d
    where d.reference_date = $reference_date
)

select *
from before
where kind <> 'list'
union all by name
select
    $reference_date::date as reference_date,
    'list' as kind,
    g.last_decision as name,
    coalesce(b.state, s.state) as state
from given as g
cross join standing_list as s
left join before as b on b.kind = 'list' and b.name = g.last_decision
where
    g.is_out
    and s.state is not null;
