"""Search in Chinese without an extension: two functions of the shared schema, used by indexes of the tenants."""

from django.db import migrations

DROP = " \t\r\n\u3000，。！？、；：“”‘’（）《》【】…—·,.!?;:()[]{}<>\"'`~@#$%^&*_+-=|\\/"

BIGRAMS = """
CREATE OR REPLACE FUNCTION public.zh_bigrams(t text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT COST 5000 AS $f$
DECLARE
    letters text[] := string_to_array(lower(translate(t, %s, '')), NULL);
    grams text[] := '{}';
    n int := coalesce(array_length(letters, 1), 0);
BEGIN
    FOR i IN 1..n - 1 LOOP
        grams[i] := letters[i] || letters[i + 1];
    END LOOP;
    IF n > 0 THEN
        grams[n] := letters[n];  -- the last letter alone: serves searches of one letter by prefix
    END IF;
    RETURN array_to_tsvector(grams);
END $f$
"""

QUERY = """
CREATE OR REPLACE FUNCTION public.zh_query(t text) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $f$
DECLARE
    letters text[] := string_to_array(lower(translate(t, %s, '')), NULL);
    n int := coalesce(array_length(letters, 1), 0);
    quote text := chr(39);
    wanted text := '';
BEGIN
    IF n = 0 THEN
        RETURN NULL;  -- nothing to look up by index: the caller falls back to LIKE
    END IF;
    IF n = 1 THEN
        RETURN (quote || letters[1] || quote || ':*')::tsquery;
    END IF;
    FOR i IN 1..n - 1 LOOP
        wanted := wanted || CASE WHEN i > 1 THEN ' & ' ELSE '' END || quote || letters[i] || letters[i + 1] || quote;
    END LOOP;
    RETURN wanted::tsquery;
END $f$
"""


class Migration(migrations.Migration):
    initial = True
    dependencies: list[tuple[str, str]] = []
    operations = [
        migrations.RunSQL([(BIGRAMS, [DROP])], "DROP FUNCTION IF EXISTS public.zh_bigrams(text)"),
        migrations.RunSQL([(QUERY, [DROP])], "DROP FUNCTION IF EXISTS public.zh_query(text)"),
    ]
