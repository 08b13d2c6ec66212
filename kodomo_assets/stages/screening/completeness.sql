-- Deliveries that are late and schools that a delivery lacks. Reads the temp tables delivered, contract_facts,
-- exempt_schools and present, and the register in force.

create or replace temp table late_tables as
select
    d.table_name,
    d.delivered_on
from delivered as d
join contract_facts as f using (table_name)
where
    f.termly
    and d.status = 'earlier';

-- A few rows prove nothing: a child that came from another school brings along the rows that were written there. So a
-- school is lacking where only a small share of the children that could have rows have any. At the yearly date the rows
-- are those of the school year before: whoever was in no concerned year then, or has just entered the school, has none.
create or replace temp table lacking_schools as
with children as (
    select
        child_key,
        school_code,
        school_year,
        min(school_year) over (partition by school_code) as entry_year
    from linkage.children
    where
        reference_date = $reference_date
        and school_code not in (from exempt_schools)
),

expected as (
    select
        f.table_name,
        c.school_code,
        c.child_key
    from contract_facts as f
    join delivered as d using (table_name)
    join children as c
        on
            list_contains(f.school_years, c.school_year - $is_yearly::integer)
            and (not $is_yearly or c.school_year > c.entry_year)
    where
        f.of_schools
        and d.delivered_on is not null
        and f.table_name not in (select table_name from late_tables)
),

names as (
    select
        school_code,
        min(school_name) as school_name
    from delivered_school_register
    group by school_code
)

select
    e.table_name,
    e.school_code,
    coalesce(any_value(n.school_name), '') as school_name
from expected as e
left join present as p using (table_name, child_key)
left join names as n using (school_code)
group by e.table_name, e.school_code
having count(p.child_key) < $min_school_coverage * count(*);

create or replace temp table incomplete_children as
select c.child_key
from linkage.children as c
where
    c.reference_date = $reference_date
    and (
        c.school_code in (select school_code from lacking_schools)
        or exists (
            from late_tables as l
            join contract_facts as f using (table_name)
            where
                list_contains(f.school_years, c.school_year)
                and not (f.of_schools and c.school_code in (from exempt_schools))
        )
    );
