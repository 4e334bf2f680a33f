# fmt: off
# ruff: noqa
# The program of the technical document of 20 November 2023, section 3 ("맞춤형 SoS 알고리즘 코드"), put together again
# from its pages, and unchanged but for the commit at its end, which it forgets. It is here to prove that it runs on
# schema `keti` as it is, and that its values are the platform's where data are fresh.
import psycopg2
import pandas as pd
import math
import os
import json
from dotenv import load_dotenv

load_dotenv()

# db info
DB_NAME = os.environ.get("DB_NAME")
HOST = os.environ.get("HOST")
PORT = os.environ.get("PORT")
USER_ID = os.environ.get("USER_ID")
PASSWORD = os.environ.get("PASSWORD")

# table info
TAG_MAP = os.environ.get("TAG_MAP")
TAG_LIST = os.environ.get("TAG_LIST")
SOS = os.environ.get("SOS")


def dictfetchall(cursor):
    """
    커서에서 모든 행을 딕셔너리 리스트로 반환합니다.

    Args:
        cursor (psycopg2.extensions.cursor): 커서 객체.

    Returns:
        list: 커서의 모든 행을 포함하는 딕셔너리 리스트.
    """
    columns = [col[0] for col in cursor.description]
    return [dict(zip(columns, row)) for row in cursor.fetchall()]


def calc_safety_normalization(value, threshold, max_value):
    exp1 = 0.25 / math.pow(threshold - max_value, 2)
    exp2 = math.pow(value - max_value, 2)
    exp3 = 1/(exp1*exp2+1)
    return exp3


def calc_safety_score(value, tag, threshold, max_value):
    if max_value - threshold < 0:
        if value < max_value:
            safety_value = 1
        else:
            safety_value = calc_safety_normalization(value, threshold, max_value)
    else:
        if value > max_value:
            safety_value = 1
        else:
            safety_value = calc_safety_normalization(value, threshold, max_value)
    return safety_value


if __name__ == "__main__":
    conn = psycopg2.connect(host=HOST,
                            dbname=DB_NAME,
                            user=USER_ID,
                            password=PASSWORD,
                            port=PORT)

    with conn.cursor() as cur:
        query_set = f"""select * from {TAG_MAP}"""
        cur.execute(query_set)
        map_dict = dictfetchall(cur)

    # map_tag 정보를 갖고 있는 Dataframe
    map_df = pd.DataFrame(map_dict)

    for i in range(len(map_df["SET_ID"])):
        set_id = map_df.loc[i, "SET_ID"]
        tag_set = map_df.loc[i, "TAG_SET"]

        with conn.cursor() as cur:
            query_set = f"""select * from {TAG_LIST}"""
            cur.execute(query_set)
            map_list_dict = dictfetchall(cur)

            # tag에 따른 정보(X 100, X 80 등)를 갖는 Dataframe
            map_list_df = pd.DataFrame(map_list_dict)
            f_safety_dict = {}

            for tag_name in tag_set:
                usad_row = map_list_df[map_list_df['TAG'] == tag_name]
                maximum_safe_value = usad_row["MAXIMUM_SAFE_VALUE"].iloc[0]
                warnning_threshold = usad_row["WARNNING_THRESHOLD"].iloc[0]
                tag_name = usad_row['TAG'].iloc[0]
                table_name = usad_row["TABLE_NAME"].iloc[0]

                # tag에 따른 value 값 가져오기
                with conn.cursor() as cur:
                    query_set = f"""SELECT * FROM {table_name} WHERE "TAG" = '{tag_name}' ORDER BY "TIMESTAMP" DESC LIMIT 1"""
                    cur.execute(query_set)
                    value_dict = dictfetchall(cur)

                value_df = pd.DataFrame(value_dict)

                # timezone 변경
                value_df["TIMESTAMP"] = value_df["TIMESTAMP"].dt.tz_convert('Asia/Seoul')

                norm_value = calc_safety_score(value=value_df["VALUE"].iloc[0], tag=tag_name, threshold=warnning_threshold, max_value=maximum_safe_value)
                f_safety_dict[tag_name] = norm_value

            # SET ID에 따른 데이터 저장
            sos = math.prod(f_safety_dict.values())

            insert_query = """INSERT INTO sos ("TIMESTAMP",
                                               "VALUE",
                                               "SET_ID",
                                               "F_VALUE") VALUES(%s, %s, %s, %s)"""
            f_safety_json = json.dumps(f_safety_dict)

            with conn.cursor() as cur:
                cur.execute(insert_query, (value_df["TIMESTAMP"].iloc[0], sos, int(set_id), f_safety_json))

    conn.commit()
