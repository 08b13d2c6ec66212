-- Schools that a delivery lacks, schools that never delivered, and whom it all concerns. Reads the temp tables delivered,
-- contract_facts, exempt_schools, late_tables, fault_children and present, and the register in force.

-- A few rows prove nothing: a child that came from another school brings along the rows that were written there. So a
-- school is lacking where only a small share of the children that could have rows have any. At the yearly date the rows
-- are those of the school year before: whoever was in no concerned year then, or has just entered the school, has none.
create or replace temp table school_coverage as
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
        d.delivered_on,
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
)

select
    e.table_name,
    e.delivered_on,
    e.school_code,
    coalesce(any_value(n.school_name), '') as school_name,
    count(*) as concerned,
    count(p.child_key) as present_children
from expected as e
left join present as p using (table_name, child_key)
left join linkage.schools as n on n.reference_date = $reference_date and n.school_code = e.school_code
group by e.table_name, e.delivered_on, e.school_code;

create or replace temp table lacking_schools as
select
    table_name,
    school_code,
    school_name
from school_coverage
where present_children < $min_school_coverage * concerned;

-- A school that delivered nothing (method §6): in more than half of the tables that came for this date, and that came
-- from other schools, under a tenth of its children have a row.
create or replace temp table missing_schools as
with delivered_now as (
    select
        *,
        present_children * 10 >= concerned as has_delivered
    from school_coverage
    where delivered_on = $reference_date
),

of_others as (
    select
        *,
        count(*) filter (has_delivered) over (partition by table_name) as delivering
    from delivered_now
)

select
    school_code,
    any_value(school_name) as school_name
from of_others
where delivering > has_delivered::integer
group by school_code
having count(*) filter (not has_delivered) * 2 > count(*);

create or replace temp table incomplete_children as
select c.child_key
from linkage.children as c
where
    c.reference_date = $reference_date
    and (
        c.school_code in (select school_code from lacking_schools)
        or c.child_key in (select child_key from fault_children where not acknowledged)
        -- whose row of an earlier term stands in for one of now
        or exists (
            from late_tables as l
            join contract_facts as f using (table_name)
            join present as p on p.table_name = l.table_name and p.child_key = c.child_key
            where
                list_contains(f.school_years, c.school_year)
                and not (f.of_schools and c.school_code in (from exempt_schools))
        )
    );

-- Old numbers of pupils who came leave a few rows: under a tenth of the children is none.
create or replace temp table silent_schools as
with children as (
    select
        c.school_code,
        c.child_key,
        exists(
            from present as p
            join contract_facts as f using (table_name)
            where f.of_schools and p.child_key = c.child_key
        ) as is_present
    from linkage.children as c
    where
        c.reference_date = $reference_date
        and c.school_code not in (from exempt_schools)
        and c.school_code not in (select school_code from sources.school_roster where reference_date <= $reference_date)
)

select
    c.school_code,
    coalesce(any_value(n.school_name), '') as school_name
from children as c
left join linkage.schools as n on n.reference_date = $reference_date and n.school_code = c.school_code
where exists (from delivered as d join contract_facts as f using (table_name) where f.of_schools and d.delivered_on is not null)
group by c.school_code
having count(*) filter (c.is_present) * 10 < count(*);

-- At the yearly date first-graders have no record yet. The roster alone is no record: it only names the pupils.
create or replace temp table unrecorded_years as
with recording as (
    select f.table_name
    from contract_facts as f
    join delivered as d using (table_name)
    where f.of_schools and not f.names_pupils and d.delivered_on is not null
)

select c.school_year
from linkage.children as c
left join present as p
    on p.child_key = c.child_key and p.table_name in (from recording)
where
    c.reference_date = $reference_date
    and c.school_code not in (from exempt_schools)
    and not ($is_yearly and c.school_year = 1)
    and exists (from recording)
group by c.school_year
having count(p.child_key) = 0;
