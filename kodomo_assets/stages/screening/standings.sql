-- Sure, borderline or below; where the number of own levels serves, by whom the cut falls among.
create or replace temp table new_stability as
select
    s.reference_date,
    s.child_key,
    r.selected_share,
    case
        when r.selected_share > $sure then 'sure'
        when r.selected_share >= $below then 'borderline'
        else 'below'
    end as standing
from stable_children as s
join selected_shares as r using (child_key)
union all by name
select
    reference_date,
    child_key,
    null::double as selected_share,
    case
        when score_compared > cut then 'sure'
        when score_compared = cut then 'borderline'
        else 'below'
    end as standing
from (
    select
        *,
        round(score, $score_decimals) as score_compared,
        min(round(score, $score_decimals)) filter (selected) over (partition by cohort, share_of) as cut
    from stable_children
    where origin = 'count'
);
