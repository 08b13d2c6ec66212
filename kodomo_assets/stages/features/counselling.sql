-- SSW相談記録, 教育相談: a child without any usable record is 欠損, one with other records is 非該当.

insert into coded
select
    l.child_key,
    unnest(['ssw_family', 'ssw_bullying']),
    s.consultation_type,
    s.consulted_on
from delivered_ssw_records as s
join linkage.links as l
    on
        l.reference_date = getvariable('reference_date')
        and l.table_name = 'ssw_records'
        and l.person_ref = s.record_id
where not_after(s.consulted_on);

insert into coded
select
    l.child_key,
    'counselling_truancy',
    case when e.adaptation_class then 'yes' else coalesce(e.consultation_type, yes_or_no(e.adaptation_class)) end,
    e.consulted_on
from delivered_education_counselling as e
join linkage.links as l
    on
        l.reference_date = getvariable('reference_date')
        and l.table_name = 'education_counselling'
        and l.person_ref = e.reception_id
where not_after(e.consulted_on);
