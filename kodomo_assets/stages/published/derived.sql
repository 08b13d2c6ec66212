-- Tables that are made at publication only.

create or replace temp table derived_children_per_school as
select
    reference_date,
    school_code,
    school_year,
    count(*)::integer as children
from linkage.children
group by reference_date, cube(school_code, school_year);

-- Of the newest date alone: what is missing is asked of the schools of now, and each date would be counted again and again.
create or replace temp table derived_missing_per_school as
select
    l.reference_date,
    l.item,
    c.school_code,
    count(*)::integer as children,
    count(*) filter (l.level = 'no_record')::integer as no_record,
    count(*) filter (l.level = 'blank')::integer as blank
from features.levels as l
join linkage.children as c using (reference_date, child_key)
where
    l.reference_date = (select max(newest.reference_date) from linkage.children as newest)
    and l.cause is distinct from 'other_band'
    and not list_contains($fairness_items::varchar[], l.item)
group by l.reference_date, l.item, cube(c.school_code);

-- Sex and nationality: read where fairness is audited and nowhere else (method §6).
create or replace temp table derived_fairness_items as
select reference_date, child_key, item, level
from features.levels
where list_contains($fairness_items::varchar[], item);

-- Of a whole table, all schools together: too many of their cells are hidden to be added up by who reads them.
create or replace temp table derived_coverage_per_table as
select
    reference_date,
    table_name,
    sum(persons)::integer as persons,
    sum(linked)::integer as linked,
    sum(unlinked)::integer as unlinked,
    sum(in_review)::integer as in_review,
    sum(persons_of_school_age)::integer as persons_of_school_age,
    sum(linked_of_school_age)::integer as linked_of_school_age,
    -- added as decimals: a sum of doubles would depend on the order of the rows
    sum((expected_precision * linked)::decimal(18, 6))::double / nullif(sum(linked), 0) as expected_precision
from linkage.coverage
group by reference_date, table_name;

create or replace temp table derived_methods_per_table as
select
    reference_date,
    table_name,
    method,
    sum(persons)::integer as persons
from linkage.quality
group by reference_date, table_name, method;

-- Filled date by date: which delivery counts is asked of each.
create or replace temp table derived_deliveries (
    reference_date date,
    table_name varchar,
    status varchar,
    awaited boolean,
    delivered_on date,
    rows_accepted integer,
    rows_quarantined integer
);
