-- The catalogue's words, windows and thresholds by item.
create or replace temp macro words(item_id, word_kind) as (
    select any_value(w.words) from item_words as w where w.item = item_id and w.kind = word_kind
);

-- The first day of the window that ends before the reference date (29 February minus a year is 28 February).
create or replace temp macro window_start(item_id) as (
    select any_value(getvariable('reference_date') - to_months(w.months))::date
    from item_windows as w
    where w.item = item_id
);

create or replace temp macro threshold(item_id, threshold_level) as (
    select any_value(t.value) from item_thresholds as t where t.item = item_id and t.level = threshold_level
);

create or replace temp macro yes_or_no(flag) as case when flag then 'yes' when not flag then 'no' end;

-- The number at which the mildest own level begins (items whose levels begin at a number).
create or replace temp macro lowest_threshold(item_id) as (
    select min(t.value) from item_thresholds as t where t.item = item_id
);

-- Whether a code of the contract is an own level of the item.
create or replace temp macro is_own_level(item_id, cell) as (
    coalesce(cell in (select k.code from item_codes as k where k.item = item_id), false)
);
