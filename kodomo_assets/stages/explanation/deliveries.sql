-- Who is explained: the ranked, and whom the meeting decided, who need not be ranked.
create or replace temp table explained as
select
    child_key,
    band
from linkage.children
where
    reference_date = $reference_date
    and child_key in (
        select child_key
        from screening.ranking
        where reference_date = $reference_date
        union
        select child_key
        from review.decisions_in_force
        where reference_date = $reference_date
    );

-- What each factor rests on: of its tables the first that is delivered, and the files of that delivery.
-- Reads the temp table factor_tables (factors.py).
create or replace temp table factor_items as
with files as (
    select
        d.table_name,
        d.delivered_on,
        string_agg(s.file, '、' order by s.file, s.sha256) as names,
        string_agg(s.sha256, '、' order by s.file, s.sha256) as sha256,
        count(*) as number
    from delivered as d
    join sources.deliveries as s on s.table_name = d.table_name and s.reference_date = d.delivered_on
    where
        s.status = 'accepted'
        and not s.superseded
    group by d.table_name, d.delivered_on
)

select
    t.item,
    t.bands,
    t.item_ja,
    t.table_name as source_table,
    t.tables_ja,
    f.delivered_on,
    -- which of several files of schools it is, each child's rows say (pupil_files)
    case when f.number = 1 or not t.of_pupils then f.names end as file,
    case when f.number = 1 or not t.of_pupils then f.sha256 end as sha256
from factor_tables as t
left join files as f using (table_name)
qualify row_number() over (partition by t.item order by f.delivered_on is null, t.position) = 1;
