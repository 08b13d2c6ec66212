-- What a school is called stands in one table: filled for the dates that were linked before, from the register that was
-- in force at each.
create table if not exists linkage.schools (
    reference_date date not null,
    school_code varchar not null,
    school_name varchar not null
);

insert into linkage.schools
with in_force as (
    select
        c.reference_date,
        max(d.reference_date) as delivered_on
    from (select distinct reference_date from linkage.children) as c
    join sources.deliveries as d
        on
            d.table_name = 'school_register'
            and d.status = 'accepted'
            and not d.superseded
            and d.reference_date <= c.reference_date
    group by c.reference_date
)

select
    f.reference_date,
    s.school_code,
    min(s.school_name)
from in_force as f
join sources.school_register as s on s.reference_date = f.delivered_on
group by f.reference_date, s.school_code;
