"""What happens every minute, every day and now and then: poll, analyse, score, fill history, keep house.

Each module is one step, called alike by its Airflow task and by the command line.
"""
