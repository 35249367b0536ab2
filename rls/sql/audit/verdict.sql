-- Ends each rule's file, in psql. Where ../audit.sql runs them all it adds up the findings; a file that is run alone
-- stops with status 3 if it has any. A DO block could raise, and would need the language that 0001_superuser revokes.
\if :ERROR
    SELECT 1 / 0 AS "the rule could not run: stops psql with status 3";
\endif
SELECT :ROW_COUNT AS found \gset
\if :{?findings}
    SELECT :findings + :found AS findings \gset
\else
    SELECT :found > 0 AS is_red \gset
    \if :is_red
        SELECT 1 / 0 AS "stops psql with status 3";
    \endif
\endif
