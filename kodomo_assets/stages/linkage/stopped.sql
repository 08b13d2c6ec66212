-- What the linkage gave to children whose use is stopped (利用停止) serves nothing and is asked of nobody: it is stored apart,
-- for a 開示 of theirs alone. Where one is among the candidates of a person nobody is asked about that person at all: with
-- the likeliest child out of sight the answer would be its twin. Reads the temp table stopped_children (persons.sql).
create or replace temp table new_stopped_links as
select l.*
from new_links as l
semi join stopped_children using (child_key);

delete from new_links
where child_key in (select child_key from stopped_children);

delete from new_review
where
    (table_name, person_ref) in (
        select (table_name, person_ref)
        from new_review
        semi join stopped_children using (child_key)
    );
